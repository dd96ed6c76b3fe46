-- The refinement of a suggestion as it happens, for those who have drafts sent: ghost text that
-- comes out of the haze.

local server = require('sfumato.server')

local api = vim.api

local M = {}

-- A draft that nothing follows is taken away after this time.
local FORGOTTEN_MS = 1000

local namespace = api.nvim_create_namespace('sfumato.preview')
local group = api.nvim_create_augroup('sfumato.preview', {})
local timer = assert(vim.uv.new_timer())

---@class sfumato.Draft what `sfumato/preview` carries: the hole after one step
---@field uri string
---@field version integer of the text
---@field position lsp.Position
---@field text string
---@field done boolean

---@param bufnr integer
local function clear(bufnr)
  timer:stop()
  api.nvim_clear_autocmds({ group = group })
  if api.nvim_buf_is_valid(bufnr) then
    api.nvim_buf_clear_namespace(bufnr, namespace, 0, -1)
  end
end

--- Whether it is for the text that is typed in, where nothing is shown yet.
---@param draft sfumato.Draft
---@param bufnr integer
---@return boolean
local function fits(draft, bufnr)
  return not draft.done
    and draft.uri == vim.uri_from_bufnr(bufnr)
    and draft.version == vim.lsp.util.buf_versions[bufnr]
    and vim.startswith(api.nvim_get_mode().mode, 'i')
    and not require('sfumato.suggestion').is_shown()
end

--- Show the first line of a draft at its place, until another follows or the user goes on.
---@param draft sfumato.Draft
---@param client vim.lsp.Client
function M.draw(draft, client)
  local bufnr = api.nvim_get_current_buf()
  clear(bufnr)
  if not fits(draft, bufnr) then
    return
  end
  local row = draft.position.line
  local line = api.nvim_buf_get_lines(bufnr, row, row + 1, true)[1]
  local column = server.byte(client, line, draft.position.character)
  api.nvim_buf_set_extmark(bufnr, namespace, row, column, {
    virt_text = { { draft.text:match('^[^\n]*'), 'ComplHint' } },
    virt_text_pos = 'inline',
    hl_mode = 'combine',
  })
  api.nvim_create_autocmd({ 'CursorMovedI', 'TextChangedI', 'InsertLeave', 'BufLeave' }, {
    group = group,
    callback = function()
      clear(bufnr)
    end,
  })
  timer:start(
    FORGOTTEN_MS,
    0,
    vim.schedule_wrap(function()
      clear(bufnr)
    end)
  )
end

return M
