-- `:Sfumato`, one function for each of its subcommands.

---@mod :Sfumato COMMANDS
---What changes text is one step of undo. `:checkhealth sfumato` looks at
---everything and says what to do.

local server = require('sfumato.server')

local M = {}

---@param sentence string
local function say(sentence)
  vim.notify(sentence, vim.log.levels.INFO)
end

---@param sentence string
local function complain(sentence)
  vim.notify(sentence, vim.log.levels.WARN)
end

---@return vim.lsp.Client?
local function client_or_say()
  local client = server.client()
  if not client then
    complain('Sfumato is not running for this file; `:checkhealth sfumato` says more.')
  end
  return client
end

--- Have the server change the text; it answers with a sentence when it did not.
---@param command string
---@param place? fun(client: vim.lsp.Client): lsp.Position|lsp.Range
---@param strength? string
local function execute(command, place, strength)
  local client = client_or_say()
  if not client then
    return
  end
  local bufnr = vim.api.nvim_get_current_buf()
  if not vim.bo[bufnr].modifiable then
    return complain('Sfumato cannot change this buffer, which is not modifiable.')
  end
  local arguments = { vim.uri_from_bufnr(bufnr), place and place(client), strength }
  local params = { command = command, arguments = arguments }
  server.request(client, 'workspace/executeCommand', params, function(err, reason)
    if err then
      complain(err.message)
    elseif reason and reason ~= vim.NIL then
      say(reason)
    end
  end, bufnr)
end

--- The lines that were given to the command, else the whole buffer.
---@param call vim.api.keyset.create_user_command.command_args
---@return fun(client: vim.lsp.Client): lsp.Range
local function range(call)
  local first, last = 1, vim.api.nvim_buf_line_count(0)
  if call.range > 0 then
    first, last = call.line1, call.line2
  end
  local width = #vim.api.nvim_buf_get_lines(0, last - 1, last, true)[1]
  return function(client)
    local encoding = client.offset_encoding
    local character = vim.lsp.util.character_offset(0, last - 1, width, encoding)
    return {
      start = { line = first - 1, character = 0 },
      ['end'] = { line = last - 1, character = character },
    }
  end
end

---@class sfumato.Subcommand
---@field run fun(call: vim.api.keyset.create_user_command.command_args, word?: string)
---@field words? string[] it can be followed by
---@field follows? string kind of |command-completion| for what it can be followed by

---@type table<string, sfumato.Subcommand>
local subcommands = {}

--- :Sfumato status
--- Say how the server stands: model, device, the time of the last answer, what is wrong.
subcommands.status = {
  run = function()
    local client = client_or_say()
    if client then
      local status = require('sfumato.status')
      local paused = require('sfumato.suggestion').paused() and ' (paused)' or ''
      say(('Sfumato%s: %s'):format(paused, status.sentence(status.get(client.id))))
    end
  end,
}

--- :Sfumato toggle
--- Stop suggesting, or go on, in every buffer.
subcommands.toggle = {
  run = function()
    say(require('sfumato').toggle() and 'Sfumato is paused.' or 'Sfumato is on.')
  end,
}

--- :Sfumato fill
--- Fill the hole at the cursor.
subcommands.fill = {
  run = function()
    execute('sfumato.fillHole', server.position)
  end,
}

--- :Sfumato fill_all
--- Fill all holes of the buffer.
subcommands.fill_all = {
  run = function()
    execute('sfumato.fillAllHoles')
  end,
}

--- :[range]Sfumato repair
--- Mend what does not parse, in the lines given or in the whole buffer.
subcommands.repair = {
  run = function(call)
    execute('sfumato.repair', range(call))
  end,
}

--- :{range}Sfumato rewrite [{strength}]
--- Rewrite the lines; {strength} says how much of them is up for change: light, medium (the default)
--- or full.
subcommands.rewrite = {
  words = { 'light', 'medium', 'full' },
  run = function(call, strength)
    if call.range == 0 then
      return complain('Select the lines to rewrite, or give a range.')
    end
    execute('sfumato.rewrite', range(call), strength or 'medium')
  end,
}

--- :Sfumato next
--- Make the edit that is likely next.
subcommands.next = {
  run = function()
    execute('sfumato.nextEdit', server.position)
  end,
}

--- :Sfumato model [{model}]
--- Say which model is used, or use another until Neovim ends: one in a folder, or by its name.
subcommands.model = {
  follows = 'dir',
  run = function(_, model)
    local client = client_or_say()
    if not client then
      return
    end
    if not model then
      local status = require('sfumato.status').get(client.id)
      return say(('Sfumato uses the model %s.'):format(status.model or 'that is being loaded'))
    end
    local folder = vim.fs.normalize(vim.fn.fnamemodify(model, ':p'))
    if not server.use_model(vim.fn.isdirectory(folder) == 1 and folder or model) then
      complain('The command that starts Sfumato is a function of yours; it picks the model.')
    end
  end,
}

--- :Sfumato stats
--- Show how many suggestions were shown, taken and rejected, and how long they took.
subcommands.stats = {
  run = function()
    local client = client_or_say()
    if not client then
      return
    end
    server.request(client, 'sfumato/statistics', vim.empty_dict(), function(err, figures)
      if err then
        return complain(err.message)
      end
      local lines = { 'Sfumato, since the statistics were last cleared:' }
      for name, value in vim.spairs(figures) do
        local shown = value == vim.NIL and 'none yet' or value
        lines[#lines + 1] = ('  %-18s %s'):format((name:gsub('_', ' ')), shown)
      end
      say(table.concat(lines, '\n'))
    end, 0)
  end,
}

--- :Sfumato log
--- Open the log of Neovim's LSP clients, where the server's messages go too.
subcommands.log = {
  run = function()
    local path = vim.lsp.log.get_filename()
    vim.cmd.split({ args = { vim.fn.fnameescape(path) }, mods = { keepalt = true } })
    vim.bo.readonly, vim.bo.modifiable = true, false
    vim.cmd.normal({ 'G', bang = true })
  end,
}

---@param call vim.api.keyset.create_user_command.command_args
function M.run(call)
  local name, word = call.fargs[1], call.fargs[2]
  local subcommand = subcommands[name]
  if not subcommand then
    local known = table.concat(vim.fn.sort(vim.tbl_keys(subcommands)), ', ')
    return complain(('`:Sfumato` has no %s; there are %s.'):format(name, known))
  end
  if word and subcommand.words and not vim.list_contains(subcommand.words, word) then
    local known = table.concat(subcommand.words, ', ')
    return complain(('`:Sfumato %s` is followed by one of %s.'):format(name, known))
  end
  subcommand.run(call, word)
end

---@param line string typed so far
---@return string[]
function M.complete(line)
  local name, begun = line:match('Sfumato%s+(%S+)%s+(%S*)$')
  local words = vim.fn.sort(vim.tbl_keys(subcommands))
  if name then
    local subcommand = subcommands[name] or {}
    if subcommand.follows then
      return vim.fn.getcompletion(begun, subcommand.follows)
    end
    words = subcommand.words or {}
  else
    begun = line:match('%S*$') or ''
  end
  return vim.tbl_filter(function(word)
    return vim.startswith(word, begun)
  end, words)
end

return M
