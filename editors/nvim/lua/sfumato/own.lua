-- Suggestions asked for and drawn by ourselves: for Neovim 0.10 and 0.11, and for those who would
-- rather not wait the 200 ms that the built-in inline completion does.

local server = require('sfumato.server')

local api = vim.api

---@class sfumato.Own: sfumato.Source
local M = {}

-- The server knows what to do with requests that follow closely; this only spares it those of keys
-- that are pressed at once.
local PAUSE_MS = 30

local namespace = api.nvim_create_namespace('sfumato')

---@class sfumato.Item what is suggested, in a row and from a byte of it on, both from 0
---@field text string begins with what is typed there already
---@field row integer
---@field start integer
---@field behind integer bytes behind the cursor that it replaces
---@field command? lsp.Command that tells the server it was taken

---@class sfumato.Ghost
---@field client vim.lsp.Client
---@field bufnr integer
---@field group integer its autocommands
---@field item? sfumato.Item that is shown
---@field request? integer that is under way
---@field timer uv.uv_timer_t
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
  if not item or api.nvim_get_current_buf() ~= self.bufnr or item.row ~= row then
    return nil, ''
  end
  local line = api.nvim_get_current_line()
  local typed = line:sub(item.start + 1, column)
  if column < item.start or not vim.startswith(item.text, typed) or item.text == typed then
    return nil, ''
  end
  return item.text:sub(#typed + 1), line:sub(column + 1, column + item.behind)
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
  if not result or not self:is_typed_in() then
    return
  end
  local item = (result.items or result)[1]
  self.item = item and self:placed(item)
  self:draw()
end

---@param item lsp.InlineCompletionItem
---@return sfumato.Item
function Ghost:placed(item)
  local row, column = cursor()
  local start, stop = column, column
  local range = item.range
  if range then
    row = range.start.line
    local line = api.nvim_buf_get_lines(self.bufnr, row, row + 1, true)[1]
    start = server.byte(self.client, line, range.start.character)
    stop = server.byte(self.client, line, range['end'].character)
  end
  return {
    text = item.insertText --[[@as string]],
    row = row,
    start = start,
    behind = math.max(0, stop - column),
    command = item.command,
  }
end

function Ghost:ask()
  self:cancel()
  local tick = api.nvim_buf_get_changedtick(self.bufnr)
  local params = {
    textDocument = vim.lsp.util.make_text_document_params(self.bufnr),
    position = server.position(self.client),
    context = { triggerKind = 2 },
  }
  local request
  request = server.request(self.client, 'textDocument/inlineCompletion', params, function(_, result)
    if self.request ~= request then
      return -- cancelled
    end
    self.request = nil
    if tick == api.nvim_buf_get_changedtick(self.bufnr) then
      self:receive(result)
    end
  end, self.bufnr)
  self.request = request
end

function Ghost:cancel()
  if self.request then
    server.cancel(self.client, self.request)
    self.request = nil
  end
end

---@return boolean
function Ghost:is_typed_in()
  return ghosts[self.bufnr] == self
    and api.nvim_get_current_buf() == self.bufnr
    and vim.startswith(api.nvim_get_mode().mode, 'i')
end

--- The cursor moved or the text changed: what still fits stays in sight, and the server is asked.
function Ghost:follow()
  if not self:rest() then
    self.item = nil
  end
  self:draw()
  self.timer:stop()
  self.timer:start(
    PAUSE_MS,
    0,
    vim.schedule_wrap(function()
      if self:is_typed_in() then
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
    group = api.nvim_create_augroup('sfumato.ghost.' .. bufnr, {}),
    timer = assert(vim.uv.new_timer()),
  }, Ghost)
  ghosts[bufnr] = ghost
  local moves = { 'InsertEnter', 'CursorMovedI', 'TextChangedI', 'TextChangedP', 'CompleteDone' }
  api.nvim_create_autocmd(moves, {
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
  if ghost:is_typed_in() then
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
  if not ghost then
    return -- its server ended meanwhile
  end
  local item = ghost.item
  local rest, replaced = ghost:rest()
  if not item or not rest then
    return
  end
  ghost:hide()
  local row, column = cursor()
  api.nvim_buf_set_text(bufnr, row, column, row, column + #replaced, {})
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
