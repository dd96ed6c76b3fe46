-- Suggestions by Neovim's own `vim.lsp.inline_completion`, 0.12 or newer. It can only take a
-- suggestion as a whole; what it shows is read off its extmark.

---@class sfumato.Builtin: sfumato.Source
local M = {}

local namespace = vim.api.nvim_create_namespace('nvim.lsp.inline_completion')

function M.attach(_, bufnr)
  vim.lsp.inline_completion.enable(true, { bufnr = bufnr })
end

function M.detach(bufnr)
  if vim.api.nvim_buf_is_valid(bufnr) then
    vim.lsp.inline_completion.enable(false, { bufnr = bufnr })
  end
end

-- The first chunk is text of the suggestion, a second one would say which of several it is.
---@param chunks [string, string][]
---@return string
local function text_of(chunks)
  return chunks[1] and chunks[1][1] or ''
end

function M.shown(bufnr)
  local marks = vim.api.nvim_buf_get_extmarks(bufnr, namespace, 0, -1, { details = true })
  if not marks[1] then
    return nil
  end
  local details = assert(marks[1][4])
  local lines = { text_of(details.virt_text or {}) }
  for _, chunks in ipairs(details.virt_lines or {}) do
    lines[#lines + 1] = text_of(chunks)
  end
  local text = table.concat(lines, '\n')
  return text ~= '' and text or nil
end

function M.accept(bufnr)
  vim.lsp.inline_completion.get({ bufnr = bufnr })
end

function M.insert(bufnr, text)
  vim.lsp.inline_completion.get({
    bufnr = bufnr,
    on_accept = function()
      vim.api.nvim_paste(text, false, -1)
    end,
  })
end

return M
