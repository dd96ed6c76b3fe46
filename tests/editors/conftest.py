"""VS Code takes half a minute to open: its tests run when asked for, by `make test-editors`."""

import os

collect_ignore = [] if os.environ.get("SFUMATO_EDITORS") else ["test_vscode.py"]
