"""A bare GitOps repository: read at a commit, write commits, move `main` by compare-and-swap."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pygit2

from ml_platform.errors import NotFoundError
from ml_platform.repository import layout

MAIN = "refs/heads/main"
_LOCKED = "failed to lock file"  # libgit2: another process holds the reference's lock
_FILE = pygit2.enums.FileMode.BLOB
_TREE = pygit2.enums.FileMode.TREE


@dataclass(frozen=True)
class Author:
    """Who a commit is by. Made safe by `author_of`: text of users never reaches Git raw."""

    name: str
    email: str


PLATFORM = Author("ML Platform", "ml-platform@noreply.invalid")


@dataclass(frozen=True)
class ActiveFile:
    """A manifest of the active set."""

    path: str
    job_id: str
    team: str
    oid: str


@dataclass(frozen=True)
class Edit:
    """One commit to be made: files to write (content) or to remove (None)."""

    files: dict[str, bytes | None]
    message: str
    author: Author


@dataclass(frozen=True)
class CommitInfo:
    sha: str
    author: Author
    at: datetime
    added: dict[str, str]  # path → blob id
    removed: tuple[str, ...]


class GitopsRepository:
    """One thread at a time may write; any may read. Each thread has its own libgit2 repository."""

    def __init__(self, path: Path) -> None:
        if not (path / "HEAD").is_file():
            raise NotFoundError(
                f"there is no GitOps repository at {path}", hint="start it with `ml-platform up`"
            )
        self.path = path
        self._of_thread = threading.local()

    @property
    def _repo(self) -> pygit2.Repository:
        repo = getattr(self._of_thread, "repo", None)
        if repo is None:
            repo = self._of_thread.repo = pygit2.Repository(str(self.path))
        return repo

    def head(self) -> str:
        """Commit id of `main`."""
        return str(self._repo.references[MAIN].target)

    def read(self, oid: str) -> bytes:
        return bytes(self._repo[oid].peel(pygit2.Blob).data)

    def read_path(self, commit: str, path: str) -> bytes:
        """Content of a file at a commit; raises NotFoundError."""
        try:
            blob = self._repo[commit].peel(pygit2.Tree)[path]
        except KeyError as error:
            raise NotFoundError(f"{path} is not in the GitOps repository") from error
        if not isinstance(blob, pygit2.Blob) or blob.filemode != _FILE:
            raise NotFoundError(f"{path} is no plain file of the GitOps repository")
        return bytes(blob.data)

    def oid(self, commit: str, path: str) -> str | None:
        """Id of what is at a path: it changes when the content does. None when nothing is there."""
        tree = self._repo[commit].peel(pygit2.Tree)
        return str(tree[path].id) if path in tree else None

    def folders(self, commit: str, path: str) -> dict[str, int]:
        """Names of the folders in a folder, and how many entries each has; none when it is missing."""
        try:
            tree = self._repo[commit].peel(pygit2.Tree)[path]
        except KeyError:
            return {}
        if not isinstance(tree, pygit2.Tree):
            return {}
        return {str(entry.name): len(entry) for entry in tree if isinstance(entry, pygit2.Tree)}

    def active(self, commit: str) -> Iterator[ActiveFile]:
        """Every manifest under `jobs/` at a commit; links and other file names are passed over."""
        root = self._repo[commit].peel(pygit2.Tree)
        if "jobs" not in root:
            return
        for path, oid in _files(root["jobs"], "jobs"):
            place = layout.place(path)
            if place is not None:
                yield ActiveFile(path, place.job_id, place.team, oid)

    def control_files(self, commit: str) -> dict[str, list[str]]:
        """Files that tell Argo CD what to do with a folder of jobs, by team."""
        found: dict[str, list[str]] = {}
        root = self._repo[commit].peel(pygit2.Tree)
        for team in self.folders(commit, layout.JOBS):
            for shard in self.folders(commit, layout.jobs_folder(team)):
                folder = f"{layout.jobs_folder(team)}/{shard}"
                # Links and programs too: Argo CD opens whatever has the name.
                names = [str(entry.name) for entry in root[folder].peel(pygit2.Tree)]
                if paths := [f"{folder}/{name}" for name in names if layout.is_control_file(name)]:
                    found.setdefault(team, []).extend(paths)
        return found

    def history(self, since: str | None, until: str) -> Iterator[CommitInfo]:
        """Commits after `since` up to `until`, oldest first, along first parents.

        Raises NotFoundError, at once, when `since` is no ancestor of `until` in that line.
        """
        chain: list[pygit2.Commit] = []
        current: pygit2.Commit | None = self._commit(until)
        while current is not None and str(current.id) != since:
            chain.append(current)
            current = current.parents[0] if current.parents else None
        if since is not None and current is None:
            raise NotFoundError(f"{since} is no longer part of main")
        return map(self._info, reversed(chain))

    def changed_folders(self, since: str | None, until: str) -> set[str]:
        """Folders of jobs that differ between two commits and are there in the later one; all of
        them when `since` is unknown."""
        tree = self._commit(until).tree
        known = since is not None and since in self._repo
        diff = self._commit(str(since)).tree.diff_to_tree(tree) if known else tree.diff_to_tree()
        paths = {file.path for delta in diff.deltas for file in (delta.old_file, delta.new_file)}
        return {found for path in paths if (found := layout.folder(path)) and found in tree}

    def contains(self, commit: str, ancestor: str) -> bool:
        """Whether `ancestor` is part of the history of `commit`; not when one is unknown."""
        try:
            return bool(self._repo.descendant_of(commit, ancestor))
        except (KeyError, ValueError, pygit2.GitError):
            return False

    def _commit(self, sha: str) -> pygit2.Commit:
        return self._repo[sha].peel(pygit2.Commit)

    def _info(self, commit: pygit2.Commit) -> CommitInfo:
        parent = commit.parents[0].tree if commit.parents else None
        diff = parent.diff_to_tree(commit.tree) if parent else commit.tree.diff_to_tree(swap=True)
        added: dict[str, str] = {}
        removed: list[str] = []
        for delta in diff.deltas:
            if delta.status == pygit2.enums.DeltaStatus.DELETED:
                removed.append(delta.old_file.path)
            elif delta.new_file.mode == _FILE:
                added[delta.new_file.path] = str(delta.new_file.id)
        return CommitInfo(
            sha=str(commit.id),
            author=Author(commit.author.name, commit.author.email),
            at=datetime.fromtimestamp(commit.commit_time, UTC),
            added=added,
            removed=tuple(removed),
        )

    def write_commit(self, parent: str, edit: Edit) -> CommitInfo:
        """A commit on top of `parent`, not yet on any branch."""
        added: dict[str, str] = {}
        tree = self._commit(parent).tree.id
        for path, content in edit.files.items():
            blob = None if content is None else self._repo.create_blob(content)
            tree = self._with(tree, path.split("/"), blob) or tree
            if blob is not None:
                added[path] = str(blob)
        now = int(time.time())
        author = pygit2.Signature(edit.author.name, edit.author.email, now, 0)
        committer = pygit2.Signature(PLATFORM.name, PLATFORM.email, now, 0)
        sha = self._repo.create_commit(
            None, author, committer, edit.message, tree, [pygit2.Oid(hex=parent)]
        )
        return CommitInfo(
            sha=str(sha),
            author=edit.author,
            at=datetime.fromtimestamp(now, UTC),
            added=added,
            removed=tuple(path for path, content in edit.files.items() if content is None),
        )

    def _with(
        self, tree: pygit2.Oid | None, parts: list[str], blob: pygit2.Oid | None
    ) -> pygit2.Oid | None:
        """Id of `tree` with one file set or removed; None when the folder became empty."""
        base = None if tree is None else self._repo[tree].peel(pygit2.Tree)
        builder = self._repo.TreeBuilder(base) if base is not None else self._repo.TreeBuilder()
        name, rest = parts[0], parts[1:]
        existing = base[name] if base is not None and name in base else None
        if rest:
            inner = existing.id if isinstance(existing, pygit2.Tree) else None
            child = self._with(inner, rest, blob)
            if child is not None:
                builder.insert(name, child, _TREE)
            elif existing is not None:
                builder.remove(name)
        elif blob is not None:
            builder.insert(name, blob, _FILE)
        elif existing is not None:
            builder.remove(name)
        return builder.write() if len(builder) else None

    def swap(self, expected: str, new: str) -> bool:
        """Move `main` from `expected` to `new`; False when somebody else moved it first."""
        reference = self._repo.references[MAIN]
        if str(reference.target) != expected:
            return False
        try:
            # libgit2 takes the reference's lock and compares with the value read above.
            reference.set_target(pygit2.Oid(hex=new))
        except (pygit2.GitError, OSError) as error:
            # A full or read-only disk must not pass for a race: that would be tried many times.
            if self.head() == expected and _LOCKED not in str(error):
                raise OSError(f"main cannot be moved: {error}") from error
            return False
        return True


def _files(tree: object, prefix: str) -> Iterator[tuple[str, str]]:
    if not isinstance(tree, pygit2.Tree):
        return
    for entry in tree:
        path = f"{prefix}/{entry.name}"
        if isinstance(entry, pygit2.Tree):
            yield from _files(entry, path)
        elif isinstance(entry, pygit2.Blob) and entry.filemode == _FILE:
            yield path, str(entry.id)


def seed(path: Path, source: Path) -> GitopsRepository:
    """Make the bare repository from the folder `source` unless it exists; atomic."""
    if not (path / "HEAD").is_file():
        draft = path.with_name(f".{path.name}.{time.time_ns()}")
        repo = pygit2.init_repository(str(draft), bare=True, initial_head="main")
        index = pygit2.Index()
        for file in sorted(p for p in source.rglob("*") if p.is_file() and not p.is_symlink()):
            blob = repo.create_blob(file.read_bytes())
            index.add(pygit2.IndexEntry(file.relative_to(source).as_posix(), blob, _FILE))
        signature = pygit2.Signature(PLATFORM.name, PLATFORM.email)
        tree = index.write_tree(repo)
        repo.create_commit(
            MAIN, signature, signature, "Seed from the project's gitops/\n", tree, []
        )
        try:
            draft.rename(path)
        except OSError:  # another process was quicker
            shutil.rmtree(draft)
            if not (path / "HEAD").is_file():
                raise
    return GitopsRepository(path)
