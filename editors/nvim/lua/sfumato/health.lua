-- `:checkhealth sfumato`

local health = vim.health

local M = {}

local function check_neovim()
  health.start('Neovim')
  if vim.fn.has('nvim-0.10') == 0 then
    health.error('Sfumato needs Neovim 0.10 or newer.')
    return
  end
  health.ok('Neovim ' .. tostring(vim.version()))
  local config, problems = require('sfumato.config').read()
  for _, problem in ipairs(problems) do
    health.error(problem)
  end
  if config.ghost_text == 'builtin' then
    health.ok("Neovim's own inline completion shows the suggestions.")
  else
    health.ok('Ghost text of our own shows the suggestions.')
  end
end

local function check_program()
  health.start('The program')
  local cmd = require('sfumato.server').command()
  if type(cmd) ~= 'table' then
    health.info('The command is a function of your own.')
    return
  end
  local obstacle = require('sfumato.server').obstacle()
  if obstacle then
    health.error(obstacle, {
      'Run `make setup` in the clone of Sfumato, or',
      "set vim.g.sfumato = { cmd = { '/path/to/.venv/bin/sfumato', 'lsp' } } in init.lua.",
    })
    return
  end
  local program = vim.fn.exepath(cmd[1])
  health.ok(program)
  local done = vim.system({ program, 'doctor' }, { text = true, timeout = 60000 }):wait()
  local report = vim.trim((done.stdout or '') .. (done.stderr or ''))
  local say = done.code == 0 and health.ok or health.error
  say('`sfumato doctor` says:\n' .. report)
end

local function check_clients()
  health.start('Servers')
  local status = require('sfumato.status')
  local clients = vim.lsp.get_clients({ name = 'sfumato' })
  if #clients == 0 then
    health.info('None is running. One starts with the first file in a language that is known.')
  end
  for _, client in ipairs(clients) do
    local now = status.get(client.id)
    local say = now.state == 'error' and health.error or health.ok
    say(('client %d: %s'):format(client.id, status.sentence(now)))
  end
end

local function check_keys()
  health.start('Keys')
  local mapped = false
  for _, map in ipairs(vim.api.nvim_get_keymap('i')) do
    local target = type(map.rhs) == 'string' and map.rhs:match('^<Plug>%(sfumato%-([%w-]+)%)')
    if target then
      health.ok(('%s is mapped to %s'):format(map.lhs, target))
      mapped = true
    end
  end
  if not mapped then
    health.info('No key is mapped to a <Plug>(sfumato-...). `:help sfumato-maps` proposes some.')
  end
end

function M.check()
  check_neovim()
  check_program()
  check_clients()
  check_keys()
end

return M
