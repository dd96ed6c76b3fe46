-- `workspace/applyEdit`: what a command changes, put into buffers.

local M = {}

-- All buffers without a name have this URI, and Neovim finds none of them by it.
local NAMELESS = 'file://'

---@param uri string
---@param client vim.lsp.Client
---@return integer bufnr
local function buffer_of(uri, client)
  if uri ~= NAMELESS then
    return vim.uri_to_bufnr(uri)
  end
  local bufnr = vim.api.nvim_get_current_buf()
  if vim.api.nvim_buf_get_name(bufnr) == '' then
    return bufnr
  end
  return vim.iter(vim.tbl_keys(client.attached_buffers)):find(function(attached)
    return vim.api.nvim_buf_get_name(attached) == ''
  end) or bufnr
end

--- Why a buffer cannot be changed as the server wants.
---@param bufnr integer
---@param version? integer|lsp.null that the server saw
---@return string?
local function obstacle(bufnr, version)
  if not vim.bo[bufnr].modifiable then
    return 'the buffer is not modifiable'
  end
  if version and version ~= vim.NIL and version ~= vim.lsp.util.buf_versions[bufnr] then
    return 'the text has changed meanwhile'
  end
end

--- One undoable edit of each buffer, or of none where one of them cannot be changed.
---@param err? lsp.ResponseError
---@param params lsp.ApplyWorkspaceEditParams
---@param context lsp.HandlerContext
---@return lsp.ApplyWorkspaceEditResult
function M.apply(err, params, context)
  if not params.edit.documentChanges then -- by capabilities of the user's
    return vim.lsp.handlers['workspace/applyEdit'](err, params, context)
  end
  local client = assert(vim.lsp.get_client_by_id(context.client_id))
  local by_buffer = {}
  for _, change in ipairs(params.edit.documentChanges) do
    local document = change.textDocument
    local bufnr = buffer_of(document.uri, client)
    local reason = obstacle(bufnr, document.version)
    if reason then
      return { applied = false, failureReason = reason }
    end
    by_buffer[bufnr] = change.edits
  end
  for bufnr, edits in pairs(by_buffer) do
    vim.lsp.util.apply_text_edits(edits, bufnr, client.offset_encoding)
  end
  return { applied = true }
end

return M
