-- Suggestions asked for and drawn by ourselves: for Neovim 0.10 and 0.11, and for those who would
-- rather not wait the 200 ms that the built-in inline completion does.

local server = require('sfumato.server')

local api = vim.api

---@type sfumato.Source
local M = {}

-- The server knows what to do with requests that follow closely; this only spares it those of keys
-- that are pressed at once.
local PAUSE_MS = 30

local namespace = api.nvim_create_namespace('sfumato')

---@class sfumato.Ghost
---@field client vim.lsp.Client
---@field bufnr integer
---@field group integer its autocommands
---@field item? lsp.InlineCompletionItem that is shown
---@field request? integer that is under way
---@field timer uv.uv_timer_t
---@field behind integer bytes behind the cursor that the item replaces
local Ghost = {}
Ghost.__index = Ghost

---@type table<integer, sfumato.Ghost> by buffer
local ghosts = {}

--- Row and byte column of the cursor, both from 0.
---@return integer, integer
local function cursor()
  local row, column = unpack(api.nvim_win_get_cursor(0))
  return row - 1, column
end

---@param text string
---@param column integer on the screen, from 0, where the text begins
---@return string
local function expand_tabs(text, column)
  local parts, width = {}, column
  for plain, tab in (text .. '\n'):gmatch('([^\t\n]*)([\t\n])') do
    width = width + vim.fn.strdisplaywidth(plain, width)
    local fill = tab == '\t' and vim.fn.strdisplaywidth('\t', width) or 0
    parts[#parts + 1] = plain .. (' '):rep(fill)
    width = width + fill
  end
  return table.concat(parts)
end

--- What of the item is still to come behind the cursor, nil when it no longer fits.
---@return string? rest
---@return string replaced text behind the cursor that taking it removes
function Ghost:rest()
  local item = self.item
  local row, column = cursor()
  if not item or api.nvim_get_current_buf() ~= self.bufnr or item.range.start.line ~= row then
    return nil, ''
  end
  local line = api.nvim_get_current_line()
  local typed = line:sub(item.range.start.character + 1, column)
  local text = item.insertText --[[@as string]]
  if column < item.range.start.character or not vim.startswith(text, typed) or text == typed then
    return nil, ''
  end
  return text:sub(#typed + 1), line:sub(column + 1, column + self.behind)
end

function Ghost:draw()
  api.nvim_buf_clear_namespace(self.bufnr, namespace, 0, -1)
  local rest, replaced = self:rest()
  if not rest or vim.fn.pumvisible() == 1 then
    return
  end
  local row, column = cursor()
  -- What stays behind the cursor is not drawn twice.
  if replaced ~= '' and vim.endswith(rest, replaced) and not rest:find('\n') then
    rest, replaced = rest:sub(1, -#replaced - 1), ''
  end
  local lines = vim.split(rest, '\n', { plain = true })
  local first = expand_tabs(lines[1], vim.fn.virtcol('.') - 1)
  first = first .. (' '):rep(vim.fn.strdisplaywidth(replaced) - vim.fn.strdisplaywidth(first))
  local below = {}
  for index = 2, #lines do
    below[index - 1] = { { expand_tabs(lines[index], 0), 'ComplHint' } }
  end
  api.nvim_buf_set_extmark(self.bufnr, namespace, row, column, {
    virt_text = { { first, 'ComplHint' } },
    virt_text_pos = replaced == '' and 'inline' or 'overlay',
    virt_lines = below,
    hl_mode = 'combine',
  })
end

---@param result? lsp.InlineCompletionItem[]|lsp.InlineCompletionList null: superseded
function Ghost:receive(result)
  if not result or not vim.startswith(api.nvim_get_mode().mode, 'i') then
    return
  end
  local item = (result.items or result)[1]
  if item then
    local row, column = cursor()
    local at = { line = row, character = column }
    item.range = item.range or { start = at, ['end'] = at }
    self.behind = math.max(0, item.range['end'].character - column)
  end
  self.item = item
  self:draw()
end

function Ghost:ask()
  self:cancel()
  local row, column = cursor()
  local tick = api.nvim_buf_get_changedtick(self.bufnr)
  local params = {
    textDocument = vim.lsp.util.make_text_document_params(self.bufnr),
    position = { line = row, character = column },
    context = { triggerKind = 2 },
  }
  self.request = server.request(
    self.client,
    'textDocument/inlineCompletion',
    params,
    function(_, result)
      self.request = nil
      if ghosts[self.bufnr] == self and tick == api.nvim_buf_get_changedtick(self.bufnr) then
        self:receive(result)
      end
    end,
    self.bufnr
  )
end

function Ghost:cancel()
  if self.request then
    server.cancel(self.client, self.request)
    self.request = nil
  end
end

--- The cursor moved or the text changed: what still fits stays in sight, and the server is asked.
function Ghost:follow()
  if api.nvim_get_current_buf() ~= self.bufnr then
    return
  end
  if not self:rest() then
    self.item = nil
  end
  self:draw()
  self.timer:stop()
  self.timer:start(
    PAUSE_MS,
    0,
    vim.schedule_wrap(function()
      if ghosts[self.bufnr] == self and vim.startswith(api.nvim_get_mode().mode, 'i') then
        self:ask()
      end
    end)
  )
end

function Ghost:hide()
  self.timer:stop()
  self:cancel()
  self.item = nil
  if api.nvim_buf_is_valid(self.bufnr) then
    api.nvim_buf_clear_namespace(self.bufnr, namespace, 0, -1)
  end
end

function M.attach(client, bufnr)
  M.detach(bufnr)
  local ghost = setmetatable({
    client = client,
    bufnr = bufnr,
    behind = 0,
    group = api.nvim_create_augroup('sfumato.ghost.' .. bufnr, {}),
    timer = assert(vim.uv.new_timer()),
  }, Ghost)
  ghosts[bufnr] = ghost
  api.nvim_create_autocmd({ 'InsertEnter', 'CursorMovedI', 'TextChangedP', 'CompleteDone' }, {
    group = ghost.group,
    buffer = bufnr,
    callback = function()
      ghost:follow()
    end,
  })
  api.nvim_create_autocmd({ 'InsertLeave', 'BufLeave' }, {
    group = ghost.group,
    buffer = bufnr,
    callback = function()
      ghost:hide()
    end,
  })
  if vim.startswith(api.nvim_get_mode().mode, 'i') then
    ghost:follow()
  end
end

function M.detach(bufnr)
  local ghost = ghosts[bufnr]
  if ghost then
    ghosts[bufnr] = nil
    ghost:hide()
    ghost.timer:close()
    api.nvim_del_augroup_by_id(ghost.group)
  end
end

function M.shown(bufnr)
  local ghost = ghosts[bufnr]
  local rest = ghost and ghost:rest()
  return rest
end

function M.accept(bufnr)
  local ghost = ghosts[bufnr]
  local item, behind = ghost.item, ghost.behind
  local rest = ghost:rest()
  if not item or not rest then
    return
  end
  ghost:hide()
  local row, column = cursor()
  local width = #api.nvim_get_current_line()
  api.nvim_buf_set_text(bufnr, row, column, row, math.min(column + behind, width), {})
  api.nvim_paste(rest, false, -1)
  if item.command then
    server.request(ghost.client, 'workspace/executeCommand', {
      command = item.command.command,
      arguments = item.command.arguments,
    }, function() end, bufnr)
  end
end

function M.insert(_, text)
  api.nvim_paste(text, false, -1)
end

return M
