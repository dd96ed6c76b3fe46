-- What each server last said of itself.

---@mod sfumato-statusline STATUS LINE
---`require('sfumato').statusline()` is a few words such as "sfumato: 84 ms": >lua
---
---    vim.o.statusline = "%f %h%m%r%=%{v:lua.require'sfumato'.statusline()} %l,%c"
---<
---With lualine: `sections = { lualine_x = { require('sfumato').statusline } }`.
---
---                                                              *SfumatoStatus*
---The autocommand |User| SfumatoStatus is triggered when it changes, and
---`require('sfumato').status()` is all of it:

local M = {}

---@class sfumato.Status
--- "starting", "idle", "busy", "off" or "error".
---@field state 'starting'|'idle'|'busy'|'off'|'error'
--- Name of the model, once there is one.
---@field model? string
--- What it runs on, such as "cpu".
---@field device? string
--- What the last answer of the engine took.
---@field last_ms? number
--- Why, where it is off or in error; else "".
---@field message string
--- Why nothing is shown at the cursor, if nothing is.
---@field silence? string
--- Why the syntax of the last answer was not checked, or "".
---@field unchecked? string

---@type table<integer, sfumato.Status> by client
local statuses = {}

---@param client_id integer
---@param status sfumato.Status? nil forgets it
function M.set(client_id, status)
  statuses[client_id] = status
    and vim.tbl_map(function(value)
      return value ~= vim.NIL and value or nil
    end, status)
  vim.cmd.redrawstatus({ bang = true })
  vim.api.nvim_exec_autocmds('User', { pattern = 'SfumatoStatus', modeline = false })
end

---@param client_id integer
---@return sfumato.Status
function M.get(client_id)
  return statuses[client_id] or { state = 'starting', message = '' }
end

--- For a status line: what matters, in two words.
---@param status sfumato.Status
---@return string
function M.brief(status)
  if status.state == 'idle' and status.last_ms then
    return ('sfumato: %d ms'):format(status.last_ms)
  end
  return 'sfumato: ' .. status.state
end

--- Everything, in one line.
---@param status sfumato.Status
---@return string
function M.sentence(status)
  local words = { status.state } ---@type string[]
  if status.model then
    words[#words + 1] = ('model %s on %s'):format(status.model, status.device or '?')
  end
  if status.last_ms then
    words[#words + 1] = ('%d ms for the last answer'):format(status.last_ms)
  end
  local sentences = { table.concat(words, ', ') .. '.' }
  local silence = status.silence or ''
  local reason = silence ~= '' and 'Nothing is shown: ' .. silence or ''
  for _, told in ipairs({ status.message or '', reason, status.unchecked or '' }) do
    sentences[#sentences + 1] = told ~= '' and told or nil
  end
  return table.concat(sentences, ' ')
end

return M
