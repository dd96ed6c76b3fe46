-- Starts Sfumato for the languages it was trained on. Use with `vim.lsp.enable('sfumato')`.

---@type vim.lsp.Config
return {
  cmd = { 'sfumato', 'lsp' },
  filetypes = {
    'c',
    'cpp',
    'go',
    'java',
    'javascript',
    'javascriptreact',
    'python',
    'rust',
    'typescript',
    'typescriptreact',
  },
  root_markers = { '.git' },
  handlers = {
    -- For a status line: `%{get(g:, 'sfumato_status', '')}`.
    ['$/sfumato/status'] = function(_, status)
      vim.g.sfumato_status = status.message ~= '' and status.message or status.state
      vim.cmd.redrawstatus()
    end,
  },
  on_attach = function(_, bufnr)
    vim.lsp.inline_completion.enable(true, { bufnr = bufnr })
  end,
}
