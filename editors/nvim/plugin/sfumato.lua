-- What Sfumato adds to Neovim: one command, <Plug> maps, and the server's start. Nothing else is
-- loaded before it is needed.

if vim.g.loaded_sfumato then
  return
end
vim.g.loaded_sfumato = true

if vim.fn.has('nvim-0.10') == 0 then
  vim.api.nvim_err_writeln('Sfumato needs Neovim 0.10 or newer.')
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

---@param name string of the map, as in <Plug>(sfumato-name)
---@param part sfumato.Part
---@param otherwise string keys to press when there is no suggestion to take
---@param desc string
local function map(name, part, otherwise, desc)
  vim.keymap.set('i', ('<Plug>(sfumato-%s)'):format(name), function()
    -- CTRL-G u, so that what is accepted is one step of undo.
    return require('sfumato').accept(part) and '<C-g>u' or otherwise
  end, { expr = true, desc = desc })
end

map('accept', 'all', '', 'Accept the suggestion')
map('accept-line', 'line', '', 'Accept a line of the suggestion')
map('accept-word', 'word', '', 'Accept a word of the suggestion')

vim.keymap.set('i', '<Plug>(sfumato-tab)', function()
  local sfumato = require('sfumato')
  return sfumato.tab_accepts() and sfumato.accept('all') and '<C-g>u' or '<Tab>'
end, { expr = true, desc = 'Accept the suggestion, or Tab' })

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
      require('sfumato.suggestion').detach(event.buf)
    end
  end,
})

if require('sfumato.config').read().autostart then
  require('sfumato.server').enable()
end
