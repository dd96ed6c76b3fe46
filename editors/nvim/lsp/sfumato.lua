-- How Sfumato is started, and for which languages: those it was trained on.

local config = require('sfumato.config').read()

---@type vim.lsp.Config
return {
  cmd = config.cmd,
  filetypes = {
    'bash',
    'c',
    'cpp',
    'cs',
    'csharp',
    'css',
    'go',
    'html',
    'java',
    'javascript',
    'javascriptreact',
    'json',
    'jsonc',
    'kotlin',
    'lua',
    'php',
    'python',
    'ruby',
    'rust',
    'sh',
    'shellscript',
    'sql',
    'swift',
    'toml',
    'typescript',
    'typescriptreact',
    'yaml',
  },
  root_dir = function(bufnr, on_dir)
    require('sfumato.server').root(bufnr, on_dir)
  end,
  init_options = config.settings,
  -- Edits come with the version of the text that they are for, and without annotations, of which
  -- Neovim 0.12 makes a message that waits for a key.
  capabilities = {
    workspace = { workspaceEdit = { documentChanges = true, changeAnnotationSupport = vim.NIL } },
  },
  handlers = {
    ['$/sfumato/status'] = function(_, status, context)
      require('sfumato.status').set(context.client_id, status)
    end,
    ['sfumato/preview'] = function(_, draft, context)
      local client = vim.lsp.get_client_by_id(context.client_id)
      if client then
        require('sfumato.preview').draw(draft, client)
      end
    end,
    ['workspace/applyEdit'] = function(err, params, context)
      return require('sfumato.edits').apply(err, params, context)
    end,
  },
  on_init = function(client)
    require('sfumato.server').started(client)
  end,
  on_exit = function(code, signal, client_id)
    require('sfumato.server').exited(code, signal, client_id)
  end,
}
