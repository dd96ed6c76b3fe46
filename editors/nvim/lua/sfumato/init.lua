-- The door: what a user's own maps and status lines call.

---@mod sfumato-lua LUA
---Functions of `require('sfumato')`.
---
---Colours are the highlight groups |hl-ComplHint| and |hl-ComplHintMore|; before
---Neovim 0.12, ComplHint is linked to NonText.

local M = {}

---@alias sfumato.Part 'all'|'line'|'word'

--- Take the suggestion that is shown, or a {part} of it: "all", "line" or "word". Returns false when
--- none is shown. May be called from an |:map-expression|.
---@param part? sfumato.Part (default: 'all')
---@return boolean taken
function M.accept(part)
  return require('sfumato.suggestion').accept(part or 'all')
end

--- Whether |<Plug>(sfumato-tab)| would take the suggestion: one is shown, no menu is open, and it is
--- not merely the next step of indentation.
---@return boolean
function M.tab_accepts()
  return require('sfumato.suggestion').tab_accepts()
end

--- Stop suggesting, or go on, in every buffer. Returns whether it is paused now.
---@return boolean paused
function M.toggle()
  return require('sfumato.suggestion').toggle()
end

--- How the server of a buffer stands, see |sfumato-statusline|; nil where there is none.
---@param bufnr? integer (default: current)
---@return sfumato.Status?
function M.status(bufnr)
  local client = require('sfumato.server').client(bufnr)
  return client and require('sfumato.status').get(client.id)
end

--- A few words for a status line, see |sfumato-statusline|; "" in a buffer without Sfumato.
---@return string
function M.statusline()
  local status = M.status()
  if not status then
    return ''
  end
  local paused = require('sfumato.suggestion').paused()
  return paused and 'sfumato: paused' or require('sfumato.status').brief(status)
end

return M
