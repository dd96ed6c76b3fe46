-- The suggestion at the cursor: where it comes from (Neovim's own inline completion or our ghost
-- text), and taking all of it or a part.

local M = {}

---@class sfumato.Source
---@field attach fun(client: vim.lsp.Client, bufnr: integer)
---@field detach fun(bufnr: integer)
---@field shown fun(bufnr: integer): string? what would be inserted at the cursor
---@field accept fun(bufnr: integer) insert it
---@field insert fun(bufnr: integer, text: string) insert a part of it and drop the rest

---@type table<integer, vim.lsp.Client> by buffer
local attached = {}
local paused = false

---@return sfumato.Source
local function source()
  return require('sfumato.' .. require('sfumato.config').read().ghost_text)
end

---@param client vim.lsp.Client
---@param bufnr integer
function M.attach(client, bufnr)
  attached[bufnr] = client
  if not paused then
    source().attach(client, bufnr)
  end
end

---@param bufnr integer
function M.detach(bufnr)
  attached[bufnr] = nil
  source().detach(bufnr)
end

---@return boolean
function M.paused()
  return paused
end

---@return boolean paused
function M.toggle()
  paused = not paused
  for bufnr, client in pairs(attached) do
    if paused then
      source().detach(bufnr)
    else
      source().attach(client, bufnr)
    end
  end
  vim.cmd.redrawstatus({ bang = true })
  return paused
end

-- A word with the blanks before it, or a run of other characters.
local WORD = [[^\_s*\%(\k\+\|\%(\k\@!\S\)\+\)]]
local LINE = [[^\n\?[^\n]*]]

---@param part sfumato.Part
---@return boolean taken
function M.accept(part)
  local bufnr = vim.api.nvim_get_current_buf()
  local text = attached[bufnr] and source().shown(bufnr)
  if not text then
    return false
  end
  -- Later, because text may not change while an |expr| map is evaluated.
  vim.schedule(function()
    local piece = part == 'word' and vim.fn.matchstr(text, WORD)
      or part == 'line' and vim.fn.matchstr(text, LINE)
      or text
    if piece == '' or piece == text then
      source().accept(bufnr)
    else
      source().insert(bufnr, piece)
    end
  end)
  return true
end

---@return boolean
function M.tab_accepts()
  local bufnr = vim.api.nvim_get_current_buf()
  local text = attached[bufnr] and source().shown(bufnr)
  if not text or vim.fn.pumvisible() == 1 then
    return false
  end
  local column = vim.api.nvim_win_get_cursor(0)[2]
  local before = vim.api.nvim_get_current_line():sub(1, column)
  local indent = vim.fn.strdisplaywidth(text:match('^[ \t]*'), vim.fn.virtcol('.') - 1)
  return before:match('%S') ~= nil or indent < vim.fn.shiftwidth()
end

return M
