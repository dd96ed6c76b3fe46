-- What a user may set in `vim.g.sfumato`. The server's own settings pass through unread.

---@mod sfumato-config CONFIGURATION
---                                                                   *g:sfumato*
---All of it is optional: >lua
---
---    vim.g.sfumato = {
---      cmd = { '/path/to/.venv/bin/sfumato', 'lsp' },
---      settings = { ... }, -- |sfumato-settings|
---      ghost_text = 'own',
---      autostart = true,
---    }
---<
---From Neovim 0.11 on, settings may be given to `vim.lsp.config('sfumato')` as
---`init_options` as well.

local M = {}

---@class sfumato.Config
--- Starts the server. By default it is `sfumato lsp`, where sfumato is the one on $PATH, else the one
--- in the clone that holds this plugin.
---@field cmd string[]
--- Of the server, see |sfumato-settings|.
---@field settings? table<string, any>
--- Who asks for suggestions and draws them. "builtin": |lsp-inline_completion|, the default from
--- Neovim 0.12 on. It waits 200 ms after each key. "own": this plugin, the default before; it waits
--- 30 ms.
---@field ghost_text 'builtin'|'own'
--- Start the server for every file in a language that is known; true by default. Without it, call
--- `vim.lsp.enable('sfumato')` where you want it.
---@field autostart boolean

-- editors/nvim/lua/sfumato/config.lua -> the clone
local CLONE = vim.fn.fnamemodify(assert(debug.getinfo(1, 'S')).source:sub(2), ':p:h:h:h:h:h')

---@return string[]
local function find_command()
  local cloned = vim.fs.joinpath(CLONE, '.venv', 'bin', 'sfumato')
  if vim.fn.executable('sfumato') == 0 and vim.fn.executable(cloned) == 1 then
    return { cloned, 'lsp' }
  end
  return { 'sfumato', 'lsp' }
end

---@return sfumato.Config
local function defaults()
  return {
    cmd = find_command(),
    settings = nil,
    ghost_text = vim.lsp.inline_completion and 'builtin' or 'own',
    autostart = true,
  }
end

local KINDS = {
  cmd = 'a list of strings',
  settings = 'a table',
  ghost_text = "'builtin' (Neovim 0.12 or newer) or 'own'",
  autostart = 'true or false',
}

---@param name string
---@param value any
---@return boolean
local function fits(name, value)
  if name == 'cmd' then
    return vim.islist(value) and #value > 0
  elseif name == 'settings' then
    return type(value) == 'table'
  elseif name == 'ghost_text' then
    return value == 'own' or (value == 'builtin' and vim.lsp.inline_completion ~= nil)
  end
  return type(value) == 'boolean'
end

--- The user's configuration over the defaults, and a sentence for each value that was left out.
---@return sfumato.Config config
---@return string[] problems
function M.read()
  local config, problems = defaults(), {}
  local given = vim.g.sfumato or {}
  if type(given) ~= 'table' then
    return config, { 'vim.g.sfumato should be a table, found ' .. vim.inspect(given) .. '.' }
  end
  for name, value in vim.spairs(given) do
    if not KINDS[name] then
      local known = table.concat(vim.fn.sort(vim.tbl_keys(KINDS)), ', ')
      problems[#problems + 1] = ('vim.g.sfumato has no %s; there are %s.'):format(name, known)
    elseif not fits(name, value) then
      local sentence = 'vim.g.sfumato.%s should be %s, found %s.'
      problems[#problems + 1] = sentence:format(name, KINDS[name], vim.inspect(value))
    else
      config[name] = value
    end
  end
  return config, problems
end

return M
