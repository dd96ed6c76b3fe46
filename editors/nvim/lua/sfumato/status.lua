-- What each server last said of itself.

local M = {}

---@class sfumato.Status
---@field state 'starting'|'idle'|'busy'|'off'|'error'
---@field model? string
---@field device? string
---@field last_ms? number what the last answer of the engine took
---@field message string why, in states 'off' and 'error'; else ""
---@field unchecked? string why the syntax of the last answer was not checked, or ""

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
  local words = { status.state }
  if status.model then
    words[#words + 1] = ('model %s on %s'):format(status.model, status.device or '?')
  end
  if status.last_ms then
    words[#words + 1] = ('%d ms for the last answer'):format(status.last_ms)
  end
  local sentences = { table.concat(words, ', ') .. '.' }
  for _, told in ipairs({ status.message or '', status.unchecked or '' }) do
    sentences[#sentences + 1] = told ~= '' and told or nil
  end
  return table.concat(sentences, ' ')
end

return M
