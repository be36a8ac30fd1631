#!/bin/sh
# Puts rotator on a host, or takes it away: `make install`, `make uninstall`.
#
#   deploy/install.sh install     everything, below DESTDIR where one is given (for packages)
#   deploy/install.sh activate    the user, the directories and the units: on the host itself
#   deploy/install.sh uninstall   leaves configuration, journal, user and what was published
#
# PREFIX (default /opt/rotator) gets a virtual environment; PYTHON (default python3) makes it, and
# runs rotator from then on. Run again it upgrades, and never touches the configuration.
set -eu
umask 022

PREFIX=${PREFIX:-/opt/rotator}
DESTDIR=${DESTDIR:-}
PYTHON=${PYTHON:-python3}
project=$(cd "$(dirname "$0")/.." && pwd)
home=$DESTDIR$PREFIX
local=$DESTDIR/usr/local
units=$local/lib/systemd/system
bash_completion=$local/share/bash-completion/completions/rotator
zsh_completion=$local/share/zsh/site-functions/_rotator
fish_completion=$local/share/fish/vendor_completions.d/rotator.fish

put() { # FILE DESTINATION
    install -D -m 644 "$project/$1" "$2"
}

# PREFIX is rotator's own, perhaps of an installation that failed half way.
is_ours() {
    grep -qs "^prompt = 'rotator'" "$home/pyvenv.cfg"
}

install_program() {
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        { echo "rotator needs Python 3.11 or newer: make install PYTHON=python3.12" >&2; exit 1; }
    # Uninstalling removes all of PREFIX, so it has to be rotator's own: /usr/local is not.
    if [ -n "$(ls -A "$home" 2>/dev/null)" ] && ! is_ours; then
        echo "$home holds something else: choose a directory for rotator alone, PREFIX=/opt/rotator" >&2
        exit 1
    fi
    "$PYTHON" -m venv --prompt rotator "$home" ||
        { echo "no virtual environment could be made; on Debian: apt-get install python3-venv" >&2; exit 1; }
    # Its name in version 0.1.0, which may be there: modules that are gone since would stay otherwise.
    "$home/bin/python" -m pip uninstall --quiet --disable-pip-version-check --yes rotator 2>/dev/null
    "$home/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile \
        --constraint "$project/constraints.txt" "$project"
    # Once it is installed, nothing may write there: what Python compiles has to be there by then.
    "$home/bin/python" -m compileall -q -j 0 ${DESTDIR:+-s "$DESTDIR"} "$home/lib"
    if [ -n "$DESTDIR" ]; then
        grep -rIlF "$home" "$home/bin" "$home/pyvenv.cfg" | xargs -r sed -i "s|$home|$PREFIX|g"
    fi
    install -d "$local/bin"
    ln -sfn "$PREFIX/bin/rotator" "$local/bin/rotator"
}

install_help() {
    mkdir -p "${bash_completion%/*}" "${zsh_completion%/*}" "${fish_completion%/*}" "$local/share/man/man1"
    completion bash >"$bash_completion"
    completion zsh >"$zsh_completion"
    completion fish >"$fish_completion"
    "$home/bin/python" "$project/deploy/manual.py" >"$local/share/man/man1/rotator.1"
}

completion() {
    _ROTATOR_COMPLETE="$1_source" "$home/bin/python" -c 'from rotator.cli import main; main()'
}

install_units() {
    for unit in "$project"/systemd/rotator*.service "$project"/systemd/rotator*.timer; do
        put "systemd/${unit##*/}" "$units/${unit##*/}"
    done
    put systemd/rotator.sysusers "$local/lib/sysusers.d/rotator.conf"
    put systemd/rotator.tmpfiles "$local/lib/tmpfiles.d/rotator.conf"
    install -D -m 755 "$project/systemd/rotator.generator" "$local/lib/systemd/system-generators/rotator"
}

install_configuration() {
    for example in "$project"/config/*.yaml; do
        put "config/${example##*/}" "$local/share/doc/rotator/config/${example##*/}"
    done
    for example in "$project"/systemd/drop-ins/*.conf; do
        put "systemd/drop-ins/${example##*/}" "$local/share/doc/rotator/drop-ins/${example##*/}"
    done
    [ -e "$DESTDIR/etc/rotator/rotator.yaml" ] || put config/ecr-to-file.yaml "$DESTDIR/etc/rotator/rotator.yaml"
}

activate() {
    command -v systemd-sysusers >/dev/null ||
        { echo "no systemd here: make a user for rotator, and start 'rotator run' as that" >&2; exit 1; }
    systemd-sysusers rotator.conf
    systemd-tmpfiles --create rotator.conf
    if [ -d /run/systemd/system ]; then
        systemctl daemon-reload
        systemctl try-restart rotator.service
    fi
    echo "rotator is installed. Next: edit /etc/rotator/rotator.yaml, then"
    echo "  rotator check --offline && systemctl enable --now rotator"
}

uninstall() {
    if [ -z "$DESTDIR" ] && [ -d /run/systemd/system ]; then
        systemctl disable --now rotator.service rotator-once.timer rotator-once.service
        systemctl stop 'rotator-failure@*' # it may be telling of one that was stopped half way
    fi
    if is_ours; then
        rm -rf "$home"
    fi
    rm -rf "$local/share/doc/rotator"
    rm -f "$local/bin/rotator" "$units"/rotator.service "$units"/rotator-*.service "$units"/rotator-*.timer \
        "$local/lib/systemd/system-generators/rotator" \
        "$local/lib/sysusers.d/rotator.conf" "$local/lib/tmpfiles.d/rotator.conf" \
        "$bash_completion" "$zsh_completion" "$fish_completion" "$local/share/man/man1/rotator.1"
    if [ -z "$DESTDIR" ] && [ -d /run/systemd/system ]; then
        systemctl daemon-reload
        # A run that was stopped half way counts as failed, and would be listed for ever.
        systemctl reset-failed 'rotator*' || :
    fi
    echo "removed; these are left: /etc/rotator, /etc/credstore, /etc/systemd/system/rotator*.d,"
    echo "  /var/lib/rotator, /opt/.docker, the user rotator"
}

case ${1:-} in
install)
    install_program
    install_help
    install_units
    install_configuration
    [ -n "$DESTDIR" ] || activate
    ;;
activate) activate ;;
uninstall) uninstall ;;
*)
    sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
