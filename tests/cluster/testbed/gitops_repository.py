"""The bare repository that Argo CD reads, and commits to it as a person would push them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pygit2

BRANCH = "refs/heads/main"


class GitopsRepository:
    """A bare repository. The service under test may write to it at the same time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"file://{path}"
        if not (path / "HEAD").exists():
            pygit2.init_repository(str(path), bare=True, initial_head="main")
        self._git = pygit2.Repository(str(path))

    @property
    def head(self) -> str:
        return str(self._git.references[BRANCH].target)

    def follows(self, commit: str, earlier: str) -> bool:
        """Whether `commit` is `earlier` or came after it."""
        if commit == earlier:
            return True
        return commit in self._git and self._git.descendant_of(commit, earlier)

    def read(self, path: str) -> str | None:
        """A file of the newest commit, or None."""
        tree = self._tree()
        if tree is None or path not in tree:
            return None
        entry = tree[path]
        assert isinstance(entry, pygit2.Blob)
        return entry.data.decode()

    def files(self) -> list[str]:
        """Paths of the newest commit."""
        index = pygit2.Index()
        tree = self._tree()
        if tree is not None:
            index.read_tree(tree)
        return [entry.path for entry in index]

    def check_out(self, folder: Path) -> None:
        """The files of the newest commit, as a plain folder."""
        for path in self.files():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(self.read(path) or "")

    def commit(self, files: Mapping[str, str | None], message: str = "A test's change") -> str:
        """Write files (None removes one) on top of the newest commit; returns the new one."""
        index = pygit2.Index()
        before = self._tree()
        parents = [] if before is None else [self.head]
        if before is not None:
            index.read_tree(before)
        for path, text in files.items():
            if text is None:
                index.remove(path)
            else:
                blob = self._git.create_blob(text.encode())
                index.add(pygit2.IndexEntry(path, blob, pygit2.enums.FileMode.BLOB))
        tree = index.write_tree(self._git)
        author = pygit2.Signature("A test", "test@example.org")
        # The reference is moved only from `parents`: a commit in between raises instead of being lost.
        return str(self._git.create_commit(BRANCH, author, author, message, tree, parents))

    def commit_folder(self, folder: Path, message: str) -> str:
        """Every text file of a folder."""
        files = {
            path.relative_to(folder).as_posix(): path.read_text()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        return self.commit(files, message)

    def _tree(self) -> pygit2.Tree | None:
        """Of the newest commit."""
        if BRANCH not in self._git.references:
            return None
        return self._git.references[BRANCH].peel(pygit2.Commit).tree
