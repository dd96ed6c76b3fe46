-- The server's life: started for files in its languages, started again when it dies.

---@mod sfumato-start START
---There is no setup() to call. With the plugin on 'runtimepath' the server
---starts for every file in a language it can check. It is looked for on $PATH,
---then in the clone that holds this plugin, where `make setup` has put it.
---
---From Neovim 0.11 on it is an LSP client like any other: |vim.lsp.enable()| and
---|vim.lsp.config()| know it as "sfumato".
---
---A server that dies is started again, after 1, 2, 5, 15 and 60 seconds; one that
---had lived for a minute begins with 1 again.

local M = {}

local NAME = 'sfumato'

-- Pause after the first, second, ... death in a row.
local BACK_OFF_S = { 1, 2, 5, 15, 60 }

-- A server that has lived this long has not died in a row.
local SETTLED_MS = 60000

-- Signals by which Neovim itself, or the user, ends a server.
local SIGTERM = 15

local deaths = 0

---@type table<integer, number> when each client's server was ready, in milliseconds
local began = {}

---@type table<integer, true> clients that are stopped to be started anew
local restarting = {}

--- The client of a buffer.
---@param bufnr? integer (default: current)
---@return vim.lsp.Client?
function M.client(bufnr)
  return vim.lsp.get_clients({ name = NAME, bufnr = bufnr or 0 })[1]
end

--- Ask the server; Neovim 0.10 has functions where later versions have methods.
---@param client vim.lsp.Client
---@param method string
---@param params table
---@param handler fun(err?: lsp.ResponseError, result: any)
---@param bufnr integer its changes are sent first; 0 would send none
---@return integer? request
function M.request(client, method, params, handler, bufnr)
  local sent, request
  if vim.fn.has('nvim-0.11') == 1 then
    ---@diagnostic disable-next-line: param-type-mismatch
    sent, request = client:request(method, params, handler, bufnr)
  else
    ---@diagnostic disable-next-line: param-type-mismatch
    sent, request = client.request(method, params, handler, bufnr)
  end
  return sent and request or nil
end

---@param client vim.lsp.Client
---@param request integer
function M.cancel(client, request)
  if vim.fn.has('nvim-0.11') == 1 then
    client:cancel_request(request)
  else
    ---@diagnostic disable-next-line: param-type-mismatch
    client.cancel_request(request)
  end
end

---@param client vim.lsp.Client
function M.stop(client)
  if vim.fn.has('nvim-0.11') == 1 then
    client:stop()
  else
    ---@diagnostic disable-next-line: missing-parameter
    client.stop()
  end
end

--- Where the cursor is, as the server counts.
---@param client vim.lsp.Client
---@return lsp.Position
function M.position(client)
  return vim.lsp.util.make_position_params(0, client.offset_encoding).position
end

--- Byte of a line that the server speaks of.
---@param client vim.lsp.Client
---@param line string
---@param character integer
---@return integer
function M.byte(client, line, character)
  if client.offset_encoding == 'utf-8' then
    return math.min(character, #line)
  elseif vim.fn.has('nvim-0.11') == 1 then
    return vim.str_byteindex(line, client.offset_encoding, character, false)
  end
  ---@diagnostic disable-next-line: param-type-mismatch
  return vim.str_byteindex(line, character, client.offset_encoding == 'utf-16')
end

-- What `vim.lsp.enable()` does in Neovim 0.11.
---@param bufnr integer
local function start(bufnr)
  local config = dofile(vim.api.nvim_get_runtime_file('lsp/sfumato.lua', false)[1])
  local known = vim.list_contains(config.filetypes, vim.bo[bufnr].filetype)
  if vim.bo[bufnr].buftype ~= '' or not known then
    return
  end
  config.root_dir(bufnr, function(root)
    config.name = NAME
    config.root_dir = root
    local defaults = vim.lsp.protocol.make_client_capabilities()
    config.capabilities = vim.tbl_deep_extend('force', defaults, config.capabilities)
    vim.lsp.start(config, {
      bufnr = bufnr,
      reuse_client = function(client, wanted) -- by default none is outside of a project
        return client.name == wanted.name and client.root_dir == wanted.root_dir
      end,
    })
  end)
end

--- `root_dir` of the client. Where the program cannot be started, the user is told once and no
--- folder is given, so that nothing is tried.
---@param bufnr integer
---@param on_dir fun(root?: string)
function M.root(bufnr, on_dir)
  if M.obstacle() then
    vim.notify_once('Sfumato cannot start; `:checkhealth sfumato` says why.', vim.log.levels.WARN)
    return
  end
  on_dir(vim.fs.root(bufnr, '.git'))
end

--- Start for every file in a language that is known, those that are open included.
function M.enable()
  if vim.lsp.enable then
    vim.lsp.enable(NAME)
    return
  end
  vim.api.nvim_create_autocmd('FileType', {
    group = vim.api.nvim_create_augroup('sfumato.start', {}),
    callback = function(event)
      start(event.buf)
    end,
  })
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(bufnr) then
      start(bufnr)
    end
  end
end

--- The command that starts the server, as configured.
---@return string[]|function
function M.command()
  local configured = vim.lsp.config and vim.lsp.config[NAME]
  return configured and configured.cmd or require('sfumato.config').read().cmd
end

--- Why the program cannot be started: it is not there, or the Python in its first line is gone.
---@return string? sentence nil where it can
function M.obstacle()
  local cmd = M.command()
  if type(cmd) ~= 'table' then
    return nil
  end
  local program = vim.fn.exepath(cmd[1])
  if program == '' then
    return ('`%s` was not found or cannot be run.'):format(cmd[1])
  end
  local first = vim.fn.readfile(program, 'b', 1)[1] or ''
  local interpreter = first:match('^#!%s*(%S+)')
  if interpreter and vim.fn.executable(interpreter) == 0 then
    return ('`%s` cannot be started: %s, which it runs on, is gone.'):format(program, interpreter)
  end
end

--- Start the server anew with another model, by folder or name, for as long as Neovim runs.
---@param model string
---@return boolean done false where the command is a function, which picks the model itself
function M.use_model(model)
  local configured = M.command()
  if type(configured) ~= 'table' then
    return false
  end
  local cmd = {}
  for _, word in ipairs(configured) do
    if word == '--model' then
      break
    end
    cmd[#cmd + 1] = word
  end
  vim.list_extend(cmd, { '--model', model })
  if vim.lsp.config then
    vim.lsp.config(NAME, { cmd = cmd })
  else
    vim.g.sfumato = vim.tbl_extend('force', vim.g.sfumato or {}, { cmd = cmd })
  end
  for _, client in ipairs(vim.lsp.get_clients({ name = NAME })) do
    restarting[client.id] = true
    M.stop(client)
  end
  return true
end

--- `on_init` of the client.
---@param client vim.lsp.Client
function M.started(client)
  began[client.id] = vim.uv.now()
end

--- `on_exit` of the client: a server that died is started again after a while.
---@param code integer
---@param signal integer
---@param client_id integer
function M.exited(code, signal, client_id)
  vim.schedule(function()
    local settled = vim.uv.now() - (began[client_id] or math.huge) > SETTLED_MS
    local wanted = restarting[client_id]
    began[client_id], restarting[client_id] = nil, nil
    require('sfumato.status').set(client_id, nil)
    if wanted then
      vim.schedule(M.enable) -- once more: Neovim 0.10 takes the old client for a living one until then
      return
    end
    if (code == 0 and signal == 0) or signal == SIGTERM or vim.v.exiting ~= vim.NIL then
      return
    end
    deaths = settled and 1 or deaths + 1
    local pause_s = BACK_OFF_S[deaths]
    if not pause_s then
      local sentence =
        'Sfumato does not stay up; `:checkhealth sfumato` and `:Sfumato log` say more.'
      vim.notify(sentence, vim.log.levels.ERROR)
      return
    end
    vim.defer_fn(M.enable, pause_s * 1000)
  end)
end

return M
