"""The command line: python -m tests.cluster COMMAND. Progress goes to standard error, answers to standard output."""

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.cluster import lifecycle
from tests.cluster.controlplane import ControlPlane
from tests.cluster.errors import ClusterError, Missing
from tests.cluster.lifecycle import PROVIDERS, Wanted
from tests.cluster.local import TOOLS
from tests.cluster.paths import DEFAULT_NAME
from tests.cluster.progress import say
from tests.cluster.tools import tool

EPILOG = """\
environment:
  DSS_CACHE   built programs (default: ~/.cache/deepseekserve)
  DSS_STATE   a folder with one folder per cluster (default as root: /var/lib/deepseekserve-cluster)

exit codes: 0 done; 1 it failed, and the message says where to look; 2 the machine lacks something, and the message
says what; 3 (status) the cluster is not running
"""


def parser() -> argparse.ArgumentParser:
    """The options of all commands; --provider and --name may stand before or after the command."""
    formatter = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser(
        prog="python -m tests.cluster", epilog=EPILOG, formatter_class=formatter,
        description="A real Kubernetes cluster on this machine, for people and tests.",
    )
    _add_common(top, default=True)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, summary: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=summary, description=summary, epilog=EPILOG, formatter_class=formatter)
        _add_common(made, default=False)
        return made

    up = command("up", "start the cluster, or repair it; 5 s once everything is built")
    up.add_argument("--gpus", type=_count, metavar="N", help="GPUs (nvidia.com/gpu) that the node claims to have")
    up.add_argument("--kwok", type=Path, metavar="FILE", help="Node objects to add as tainted nodes made of air")
    up.add_argument("--image", default="", help="node image of a new kind cluster")
    up.add_argument("--with", dest="archives", type=Path, action="append", default=[], metavar="ARCHIVE",
                    help="also load the images of a docker-archive; a new local node begins with them (the cache keeps "
                    "what importing them took)")
    command("stop", "end every process and keep the state; `up` continues with it")
    command("down", "end the cluster; nothing of it is left")
    command("status", "what runs; exit code 3 when the cluster is not ready")
    load = command("load", "load images from docker-archive files, unless they are there already")
    load.add_argument("archives", type=Path, nargs="+", metavar="ARCHIVE")
    command("kubeconfig", "print the path of the admin's kubeconfig")
    run = command("exec", "run a command with KUBECONFIG set and kubectl and helm on PATH; on provider local also in "
                  "the node's network, where pod and Service addresses and names work")
    run.add_argument("words", nargs=argparse.REMAINDER, metavar="-- CMD")
    volume = command("volume", "make a folder on the node that every user may write to, and print its path")
    volume.add_argument("volume", metavar="VOLUME")
    command("node", "print the name of the node that real pods go to")
    tools = command("tools", "build all programs that a cluster needs into the cache")
    tools.add_argument("--all", action="store_true", help="also kwok and kind, which are needed only when asked for")
    alone = command("controlplane", "run a command against etcd, API server and controllers alone; no root, no node")
    alone.add_argument("words", nargs=argparse.REMAINDER, metavar="-- CMD")
    return top


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = parser().parse_args(argv)
    try:
        return COMMANDS[options.command](options)
    except Missing as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command continues, `down` ends everything", file=sys.stderr)
        return 130


def _up(options: argparse.Namespace) -> int:
    wanted = Wanted(options.name, options.provider, options.gpus, options.kwok, options.image, tuple(options.archives))
    cluster = lifecycle.up(wanted)
    say(f"cluster {cluster.name} is up ({type(cluster).__name__.lower()}, node {cluster.node_name()})")
    me = "python -m tests.cluster" + ("" if cluster.name == DEFAULT_NAME else f" --name {cluster.name}")
    print(f"""\
export KUBECONFIG={shlex.quote(str(cluster.kubeconfig))}
Next:
  {me} exec -- kubectl get nodes      kubectl and helm, and pod and Service addresses (local)
  {me} load IMAGE.tar                 images from a docker-archive
  {me} stop | down                    keep its state | leave nothing""")
    return 0


def _stop(options: argparse.Namespace) -> int:
    lifecycle.stop(options.name)
    say(f"cluster {options.name} is stopped; `up` continues with its state")
    return 0


def _down(options: argparse.Namespace) -> int:
    lifecycle.down(options.name)
    say(f"cluster {options.name} is gone")
    return 0


def _status(options: argparse.Namespace) -> int:
    cluster = lifecycle.find(options.name)
    beside = {p.component: True for p in cluster.processes.all() if p.is_main}      # kwok, where it was asked for
    running, ready = {**beside, **cluster.running()}, cluster.is_ready()
    print(f"cluster     {cluster.name} ({type(cluster).__name__.lower()}): {'ready' if ready else 'not ready'}")
    print(f"kubeconfig  {cluster.kubeconfig}")
    print(f"state       {cluster.state}")
    for component, alive in running.items():
        print(f"{component:<20}{'running' if alive else '-'}")
    return 0 if ready else 3


def _load(options: argparse.Namespace) -> int:
    for file in options.archives:
        loaded = lifecycle.load(options.name, file)
        say(f"{file}: {'loaded' if loaded else 'already there'}")
    return 0


def _exec(options: argparse.Namespace) -> int:
    cluster = lifecycle.find(options.name)
    command, environment = cluster.command(*_words(options)), lifecycle.environment(cluster)
    try:
        os.execvpe(command[0], command, environment)
    except OSError as error:
        raise ClusterError(f"{command[0]}: {error.strerror}") from error


def _controlplane(options: argparse.Namespace) -> int:
    with ControlPlane() as running:
        clients = f"{running.kubectl_binary.parent}:{os.environ.get('PATH', '')}"
        environment = {**os.environ, "KUBECONFIG": str(running.kubeconfig), "PATH": clients}
        return subprocess.run(_words(options), env=environment, check=False).returncode


def _tools(options: argparse.Namespace) -> int:
    for name in (*TOOLS, *(("kwok", "kind") if options.all else ())):
        print(tool(name))
    return 0


def _print(answer: Callable[[lifecycle.Cluster, argparse.Namespace], object]) -> Callable[[argparse.Namespace], int]:
    def command(options: argparse.Namespace) -> int:
        print(answer(lifecycle.find(options.name), options))
        return 0
    return command


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "up": _up,
    "stop": _stop,
    "down": _down,
    "status": _status,
    "load": _load,
    "exec": _exec,
    "controlplane": _controlplane,
    "tools": _tools,
    "kubeconfig": _print(lambda cluster, _: cluster.kubeconfig),
    "node": _print(lambda cluster, _: cluster.node_name()),
    "volume": _print(lambda cluster, options: cluster.make_volume(options.volume)),
}


def _add_common(to: argparse.ArgumentParser, *, default: bool) -> None:
    """Options of every command; only the top level has defaults, as a command's would undo what stands before it."""
    to.add_argument(
        "--provider", choices=("auto", *PROVIDERS), default="auto" if default else argparse.SUPPRESS,
        help="auto: kind when a Docker daemon answers, else local on Linux as root",
    )
    to.add_argument("--name", default=DEFAULT_NAME if default else argparse.SUPPRESS, help=f"default: {DEFAULT_NAME}")


def _words(options: argparse.Namespace) -> list[str]:
    words: list[str] = options.words[1:] if options.words[:1] == ["--"] else options.words
    if not words:
        raise ClusterError(f"no command given, for example: {options.command} -- kubectl get pods -A")
    return words


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 64:
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number from 0 to 64")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
