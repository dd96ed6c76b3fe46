-- What Sfumato adds to Neovim: one command, <Plug> maps, and the server's start. Nothing else is
-- loaded before it is needed.

if vim.g.loaded_sfumato then
  return
end
vim.g.loaded_sfumato = true

if vim.fn.has('nvim-0.10') == 0 then
  vim.notify('Sfumato needs Neovim 0.10 or newer.', vim.log.levels.ERROR)
  return
end

vim.api.nvim_create_user_command('Sfumato', function(call)
  require('sfumato.command').run(call)
end, {
  nargs = '+',
  range = true,
  complete = function(_, line)
    return require('sfumato.command').complete(line)
  end,
  desc = 'Sfumato: status, fill, repair, rewrite, ...',
})

---@mod sfumato-maps MAPS
---No key is taken unless you say so. In init.lua: >lua
---
---    vim.keymap.set('i', '<Tab>', '<Plug>(sfumato-tab)')
---    vim.keymap.set('i', '<C-Right>', '<Plug>(sfumato-accept-word)')
---    vim.keymap.set('i', '<C-Down>', '<Plug>(sfumato-accept-line)')
---<
---What is accepted is one step of undo.

---@param name string of the map, as in <Plug>(sfumato-name)
---@param take fun(): boolean
---@param otherwise string keys to press when nothing was taken
---@param desc string
local function map(name, take, otherwise, desc)
  vim.keymap.set('i', ('<Plug>(sfumato-%s)'):format(name), function()
    -- CTRL-G u, so that what is accepted is one step of undo.
    return take() and '<C-g>u' or otherwise
  end, { expr = true, desc = desc })
end

--- Take the suggestion. A Tab where there is none, where a menu is open, and in indentation that
--- the suggestion would only continue.
map('tab', function()
  local sfumato = require('sfumato')
  return sfumato.tab_accepts() and sfumato.accept('all')
end, '<Tab>', 'Accept the suggestion, or Tab')

--- Take the suggestion; nothing where there is none.
map('accept', function()
  return require('sfumato').accept('all')
end, '', 'Accept the suggestion')

--- Take the rest of its first line.
map('accept-line', function()
  return require('sfumato').accept('line')
end, '', 'Accept a line of the suggestion')

--- Take its next word.
map('accept-word', function()
  return require('sfumato').accept('word')
end, '', 'Accept a word of the suggestion')

vim.api.nvim_set_hl(0, 'ComplHint', { default = true, link = 'NonText' })

local group = vim.api.nvim_create_augroup('sfumato', {})

vim.api.nvim_create_autocmd('LspAttach', {
  group = group,
  callback = function(event)
    local client = vim.lsp.get_client_by_id(event.data.client_id)
    if client and client.name == 'sfumato' then
      require('sfumato.suggestion').attach(client, event.buf)
    end
  end,
})

vim.api.nvim_create_autocmd('LspDetach', {
  group = group,
  callback = function(event)
    local client = vim.lsp.get_client_by_id(event.data.client_id)
    if client and client.name == 'sfumato' then
      require('sfumato.suggestion').detach(client, event.buf)
    end
  end,
})

if require('sfumato.config').read().autostart then
  require('sfumato.server').enable()
end
