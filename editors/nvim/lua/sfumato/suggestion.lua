-- The suggestion at the cursor: where it comes from (Neovim's own inline completion or our ghost
-- text), and taking all of it or a part.

local M = {}

---@class sfumato.Source
---@field attach fun(client: vim.lsp.Client, bufnr: integer)
---@field detach fun(bufnr: integer)
---@field shown fun(bufnr: integer): string? what would be inserted at the cursor
---@field accept fun(bufnr: integer) insert it
---@field insert fun(bufnr: integer, text: string) insert a part of it and drop the rest

---@type table<integer, { client: vim.lsp.Client, source: sfumato.Source }> by buffer
local attached = {}
local paused = false

---@param client vim.lsp.Client
---@param bufnr integer
function M.attach(client, bufnr)
  local source = require('sfumato.' .. require('sfumato.config').read().ghost_text)
  attached[bufnr] = { client = client, source = source }
  if not paused then
    source.attach(client, bufnr)
  end
end

---@param client vim.lsp.Client that may have been replaced by another
---@param bufnr integer
function M.detach(client, bufnr)
  local suggested = attached[bufnr]
  if suggested and suggested.client.id == client.id then
    attached[bufnr] = nil
    suggested.source.detach(bufnr)
  end
end

---@return boolean
function M.paused()
  return paused
end

---@return boolean paused
function M.toggle()
  paused = not paused
  for bufnr, suggested in pairs(attached) do
    if paused then
      suggested.source.detach(bufnr)
    else
      suggested.source.attach(suggested.client, bufnr)
    end
  end
  vim.cmd.redrawstatus({ bang = true })
  return paused
end

-- A word with the blanks before it, or a run of other characters.
local WORD = [[^\_s*\%(\k\+\|\%(\k\@!\S\)\+\)]]
local LINE = [[^\n\?[^\n]*]]

---@return string? text that is suggested in the current buffer, which can be changed
---@return sfumato.Source? source
---@return integer bufnr
local function shown()
  local bufnr = vim.api.nvim_get_current_buf()
  local source = vim.bo.modifiable and attached[bufnr] and attached[bufnr].source or nil
  return source and source.shown(bufnr), source, bufnr
end

---@return boolean
function M.is_shown()
  return shown() ~= nil
end

--- How many of the brackets and quotes that are closed behind the cursor a part of a suggestion
--- has in it: the suggestion takes their place.
---@param text string the suggestion
---@param size integer bytes of the part
---@param behind string the rest of the line
---@return integer
local function closed(text, size, behind)
  local closers = behind:match('^[%)%]}"\'`]+$') or ''
  local count, at = 0, #text + 1
  for index = #closers, 1, -1 do
    repeat
      at = at - 1
    until at < 1 or text:byte(at) == closers:byte(index)
    count = count + (1 <= at and at <= size and 1 or 0)
  end
  return count
end

--- Put the beginning of a suggestion into the buffer.
---@param source sfumato.Source
---@param bufnr integer
---@param text string the suggestion
---@param piece string
local function insert(source, bufnr, text, piece)
  local row, column = unpack(vim.api.nvim_win_get_cursor(0))
  local behind = vim.api.nvim_get_current_line():sub(column + 1)
  local stop = column + closed(text, #piece, behind)
  vim.api.nvim_buf_set_text(bufnr, row - 1, column, row - 1, stop, {})
  source.insert(bufnr, piece)
end

---@param part sfumato.Part
---@return boolean taken
function M.accept(part)
  local text, source, bufnr = shown()
  if not text or not source then
    return false
  end
  -- Later, because text may not change while an |expr| map is evaluated.
  vim.schedule(function()
    local piece = part == 'word' and vim.fn.matchstr(text, WORD)
      or part == 'line' and vim.fn.matchstr(text, LINE)
      or text
    if piece == '' or piece == text then
      source.accept(bufnr)
    else
      insert(source, bufnr, text, piece)
    end
  end)
  return true
end

---@return boolean
function M.tab_accepts()
  local text = shown()
  if not text or vim.fn.pumvisible() == 1 then
    return false
  end
  local column = vim.api.nvim_win_get_cursor(0)[2]
  local before = vim.api.nvim_get_current_line():sub(1, column)
  local indent = vim.fn.strdisplaywidth(text:match('^[ \t]*'), vim.fn.virtcol('.') - 1)
  return before:match('%S') ~= nil or indent < vim.fn.shiftwidth()
end

return M
