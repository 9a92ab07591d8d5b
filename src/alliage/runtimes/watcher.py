"""The watcher: one small process an engine, run as a script by `-I -S`, so stdlib only and nothing of Alliage.

It starts the engine, keeps its log, and tells and obeys whoever connects to its socket: a connection is an agent's
claim. Unclaimed for `claim_s` it ends the engine and itself. When it is killed the kernel kills the engine.
"""

import ctypes
import fcntl
import json
import os
import select
import signal
import socket
import sys
import time

PR_SET_PDEATHSIG = 1
TAIL_BYTES = 8192
READ_BYTES = 65536
UNCLAIMED_GRACE_S = 5.0
LOCK_S = 2.0

Record = dict[str, object]


class Log:
    """The engine's output in `engine.log`, `engine.log.1` and so on, and its last words in memory."""

    def __init__(self, path: str, bytes_max: int, files: int) -> None:
        self._path = path
        self._bytes_max = bytes_max
        self._files = files
        self._fd = self._open()
        self.tail = b""

    def write(self, piece: bytes) -> None:
        """Keep a piece; a full disk loses it, for the engine must not wait for the log."""
        self.tail = (self.tail + piece)[-TAIL_BYTES:]
        try:
            if os.fstat(self._fd).st_size + len(piece) > self._bytes_max:
                self._rotate()
            os.write(self._fd, piece)
        except OSError:
            return

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _rotate(self) -> None:
        if self._files == 1:
            os.ftruncate(self._fd, 0)
            return
        names = [self._path] + [f"{self._path}.{number}" for number in range(1, self._files)]
        for older, newer in zip(reversed(names), reversed(names[:-1]), strict=False):
            if os.path.exists(newer):  # noqa: PTH110 - pathlib costs memory here
                os.replace(newer, older)  # noqa: PTH105
        old, self._fd = self._fd, self._open()  # in this order: a number that is closed may come back as another's
        os.close(old)


class Engine:
    """The child process. `exit` is a wait status, None while it runs."""

    def __init__(self, argv: list[str], environment: dict[str, str], cores: list[int]) -> None:
        self._argv = argv
        self._environment = environment
        self._cores = cores
        self._prctl = ctypes.CDLL(None).prctl
        self.output, theirs = os.pipe()
        os.set_blocking(self.output, False)
        watcher = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            self._become(theirs, watcher)
        self._lead()
        os.close(theirs)
        self.started = _started_ticks(self.pid)
        self.exit: int | None = None

    def _become(self, output: int, watcher: int) -> None:
        """In the child: never returns."""
        try:
            os.setpgid(0, 0)
            self._prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != watcher:  # it died before the line above
                os._exit(1)
            _reset_signals()
            if self._cores:
                os.sched_setaffinity(0, self._cores)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.execve(self._argv[0], self._argv, self._environment)  # noqa: S606 - no shell is wanted
        except OSError as error:
            where = f"on cores {self._cores}" if self._cores else "on any core"
            os.write(output, f"cannot start {self._argv[0]} {where}: {error.strerror}\n".encode())
        finally:
            os._exit(127)

    def _lead(self) -> None:
        """Its own process group from here on, whichever of the two processes runs first."""
        try:
            os.setpgid(self.pid, self.pid)
        except (PermissionError, ProcessLookupError):  # it did so itself and went on, or has ended
            return

    def reap(self) -> bool:
        """Whether it has ended; whatever is left of its process group goes with it."""
        if self.exit is None and os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            self.signal(signal.SIGKILL)  # before the pid is free to be another's
            _, self.exit = os.waitpid(self.pid, 0)
        return self.exit is not None

    def signal(self, number: int) -> None:
        """Send a signal to its process group."""
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            return

    def read(self) -> bytes | None:
        """What it said; None when there is nothing now, b"" when it can say no more."""
        try:
            return os.read(self.output, READ_BYTES)
        except BlockingIOError:
            return None


def _reset_signals() -> None:
    """Python ignores some, and what is ignored stays so in the program that follows."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)


def _started_ticks(pid: int) -> int:
    with open(f"/proc/{pid}/stat", "rb") as stat:  # noqa: PTH123
        return int(stat.read().rpartition(b")")[2].split()[19])


def _boot_id() -> str:
    with open("/proc/sys/kernel/random/boot_id") as file:  # noqa: PTH123
        return file.read().strip()


class Watch:
    """The loop: output to the log, orders from the socket, the claim's clock, the engine's end."""

    def __init__(self, spec: Record, listener: socket.socket, wakeup: socket.socket) -> None:
        watch = spec["watch"]
        if not isinstance(watch, dict):
            raise TypeError("spec.json: `watch` is not an object")
        self._claim_s = float(watch["claim_s"])
        self._log = Log("engine.log", int(watch["log_bytes_max"]), int(watch["log_files"]))
        self._engine = Engine(watch["argv"], watch["environment"], watch["cores"])
        self._listener = listener
        self._wakeup = wakeup
        self._claims: dict[int, socket.socket] = {}
        self._partial: dict[int, bytes] = {}
        self._unclaimed_since = time.monotonic()
        self._kill_at: float | None = None
        self._why = "self"
        self._poll = select.poll()
        for fd in (listener.fileno(), wakeup.fileno(), self._engine.output):
            self._poll.register(fd, select.POLLIN)

    def run(self) -> None:
        """Until the engine has ended; then `exit.json` says how."""
        while not self._engine.reap():
            for fd, _ in self._poll.poll(self._wait_ms()):
                self._serve(fd)
            self._keep_time()
        while self._copy_output():
            pass
        record = self._exit_record()
        try:
            _write_whole("exit.json", json.dumps(record))
        except OSError:  # a full disk: then only those who are connected hear it
            os.write(2, b"exit.json cannot be written\n")
        self._tell_all({"event": "ended", **record})

    def _wait_ms(self) -> int:
        deadlines = [time.monotonic() + 30.0]
        if self._kill_at is not None:
            deadlines.append(self._kill_at)
        elif not self._claims:
            deadlines.append(self._unclaimed_until())
        return max(0, int((min(deadlines) - time.monotonic()) * 1000) + 1)

    def _unclaimed_until(self) -> float:
        """Early enough that the engine is gone when the claim time is over, grace included."""
        return self._unclaimed_since + self._claim_s - min(UNCLAIMED_GRACE_S, self._claim_s / 2)

    def _keep_time(self) -> None:
        now = time.monotonic()
        if self._kill_at is not None:
            if now >= self._kill_at:
                self._engine.signal(signal.SIGKILL)
                self._kill_at = now + 1.0
        elif not self._claims and now >= self._unclaimed_until():
            self._end("unclaimed", min(UNCLAIMED_GRACE_S, self._claim_s / 2))

    def _serve(self, fd: int) -> None:
        if fd == self._engine.output:
            self._copy_output()
        elif fd == self._listener.fileno():
            self._accept()
        elif fd == self._wakeup.fileno():
            if any(number != signal.SIGCHLD for number in self._wakeup.recv(64)):
                self._end("terminated", UNCLAIMED_GRACE_S)
        else:
            self._hear(fd)

    def _copy_output(self) -> bool:
        """Whether there was something to copy."""
        piece = self._engine.read()
        if piece:
            self._log.write(piece)
        elif piece == b"":
            try:
                self._poll.unregister(self._engine.output)
            except KeyError:
                return False
        return bool(piece)

    def _accept(self) -> None:
        claim, _ = self._listener.accept()
        claim.settimeout(1.0)
        self._claims[claim.fileno()] = claim
        self._partial[claim.fileno()] = b""
        self._poll.register(claim.fileno(), select.POLLIN)
        self._tell(claim, self._status())

    def _hear(self, fd: int) -> None:
        try:
            piece = self._claims[fd].recv(READ_BYTES)
        except OSError:
            piece = b""
        if not piece or len(self._partial[fd]) > READ_BYTES:
            self._drop(fd)
            return
        *lines, self._partial[fd] = (self._partial[fd] + piece).split(b"\n")
        for line in lines:
            self._obey(fd, line)

    def _obey(self, fd: int, line: bytes) -> None:
        try:
            order = json.loads(line)
            if order["do"] == "stop":
                self._end("asked", float(order["grace_s"]))
            elif order["do"] == "status":
                self._tell(self._claims[fd], self._status())
        except (ValueError, KeyError, TypeError):
            self._drop(fd)

    def _drop(self, fd: int) -> None:
        claim = self._claims.pop(fd, None)
        if claim is not None:
            self._poll.unregister(fd)
            claim.close()
            del self._partial[fd]
            self._unclaimed_since = time.monotonic()

    def _end(self, why: str, grace_s: float) -> None:
        """Ask the engine to end; asking again can only bring the kill nearer."""
        kill_at = time.monotonic() + grace_s
        if self._kill_at is None:
            self._why = why
            self._kill_at = kill_at
            self._engine.signal(signal.SIGTERM)
            self._engine.signal(signal.SIGCONT)  # a stopped process cannot obey
        else:
            self._kill_at = min(self._kill_at, kill_at)

    def _status(self) -> Record:
        return {
            "event": "status",
            "pid": self._engine.pid,
            "started": self._engine.started,
            "boot_id": _boot_id(),
            "watcher_pid": os.getpid(),
        }

    def _exit_record(self) -> Record:
        status = self._engine.exit or 0
        signaled = os.WIFSIGNALED(status)
        return {
            "pid": self._engine.pid,
            "code": None if signaled else os.WEXITSTATUS(status),
            "signal": os.WTERMSIG(status) if signaled else None,
            "why": self._why,
            "tail": self._log.tail.decode(errors="replace"),
        }

    def _tell_all(self, message: Record) -> None:
        for claim in list(self._claims.values()):
            self._tell(claim, message)

    def _tell(self, claim: socket.socket, message: Record) -> None:
        try:
            claim.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            self._drop(claim.fileno())


def _write_whole(name: str, text: str) -> None:
    fd = os.open(name + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.write(fd, text.encode())
    os.close(fd)
    os.replace(name + ".new", name)  # noqa: PTH105


def _listen() -> socket.socket:
    if os.path.exists("watcher.sock"):  # noqa: PTH110
        os.unlink("watcher.sock")  # noqa: PTH108 - the lock says that nobody listens on it
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("watcher.sock")  # relative: a whole path may be too long for a socket
    listener.listen(8)
    return listener


def _lock() -> None:
    """Be the only watcher here until this process ends; one that is just leaving is waited for."""
    lock = os.open("lock", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + LOCK_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _wakeups() -> socket.socket:
    """A socket on which the numbers of our signals arrive."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    signal.set_wakeup_fd(theirs.detach())
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    return ours


def main(folder: str) -> None:
    """Watch the engine of one replica's folder; says `ready` on stdout when the socket listens."""
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # whatever the agent was given is not ours to hold
    os.chdir(folder)
    os.umask(0o077)
    _lock()
    with open("spec.json", "rb") as file:  # noqa: PTH123
        spec = json.load(file)
    watch = Watch(spec, _listen(), _wakeups())
    os.write(1, b"ready\n")
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for fd in (0, 1, 2):
        os.dup2(nothing, fd)
    watch.run()


if __name__ == "__main__":
    main(sys.argv[1])
