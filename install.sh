#!/usr/bin/env bash
# Install Fazt:   curl -fsSL ADDRESS/install.sh | bash
#
# It asks what to install: a server with systemd, one of your own without root, or the command line alone. It looks
# first whether all can work, and touches nothing where it cannot. `install.sh --help` shows what can be said at once.
# Everything stands in functions that the last line calls: a download that is cut off does nothing.
set -euo pipefail

KEY=""      # minisign's public key of the releases; written here by tools/release --new-key
RELEASES="" # where releases lie: ADDRESS/latest/download/ and ADDRESS/download/v<version>/ (as at GitHub)

usage() {
  cat <<'TEXT'
Usage: install.sh [OPTIONS]

  --kind server|personal|cli   a server with root and port 80; one of your own; the command line alone
  --domain NAME     the domain under which sites answer (default: localhost)
  --email ADDRESS   where certificate authorities reach you
  --user NAME       the user that the server runs as (default: fazt)
  --http ADDR:PORT  where it listens (default: :80; personal: 127.0.0.1:4698)
  --https ADDR:PORT where it listens for HTTPS, or "no" (default: :443 for a server with a domain)
  --db PATH         the database (default: /var/lib/fazt/data.db)
  --prefix DIR      where versions lie (default: /opt/fazt; personal: ~/.local/share/fazt/program)
  --version V       another release than the latest
  --from PATH       a bundle that tools/release made, a folder with one, or a checkout of the sources
  --releases URL    another place of releases
  --key KEY         their public key (minisign), or a file with it
  --unsigned        believe a bundle given with --from whose signature cannot be checked; its checksum still has to fit
  --no-systemd      start the server in the background, with the right to port 80 on its own copy of Python
  --dry-run         show what would be done, and change nothing
  --yes             ask nothing
  --uninstall       take it away again; the sites stay
  --purge           with --uninstall: the sites too
TEXT
}

say() { printf '%s\n' "$*"; }
fail() { printf 'Error: %s\n' "$*" >&2; exit 1; }

main() {
  local kind="" domain="" email="" user="" http="" https="" db="" prefix="" version="" from="" releases=$RELEASES key=$KEY
  local unsigned=no systemd=yes dry=no yes=no uninstall=no purge=no
  parse "$@"
  [ "$uninstall" = no ] || { take_away; return; }
  ask_what
  set_defaults
  need_python

  work=$(mktemp -d)
  trap 'rm -rf -- "$work"' EXIT
  local code wheels
  find_release
  check
  if [ "$dry" = yes ]; then show_plan; return; fi
  put_there
}

parse() {
  while [ $# -gt 0 ]; do
    case "$1" in
      --kind|--domain|--email|--user|--http|--https|--db|--prefix|--version|--from|--releases|--key)
        [ $# -gt 1 ] || fail "$1 needs a value."
        printf -v "${1#--}" %s "$2"; shift 2 ;;
      --unsigned|--yes|--uninstall|--purge) printf -v "${1#--}" yes; shift ;;
      --no-systemd) systemd=no; shift ;;
      --dry-run) dry=yes; shift ;;
      --help|-h) usage; exit 0 ;;
      *) usage >&2; fail "There is no option $1." ;;
    esac
  done
  [ "$purge" = no ] || [ "$uninstall" = yes ] || fail "--purge goes with --uninstall."
  case "$kind" in ""|server|personal|cli) ;; *) fail "--kind is server, personal or cli, not '$kind'." ;; esac
}

# --- what is to be installed ---

# Questions go to the terminal: standard input is this script where it comes through a pipe.
can_ask() { [ "$yes" = no ] && { : >/dev/tty; } 2>/dev/null; }
ask() {
  local answer
  printf '%s ' "$1" >/dev/tty
  IFS= read -r answer </dev/tty || fail "Nobody answered."
  printf '%s' "${answer:-$2}"
}

ask_what() {
  if [ -z "$kind" ]; then
    kind=personal; [ "$(id -u)" != 0 ] || kind=server
    if can_ask; then
      printf '%s\n' "What is to be installed?" "  1  a server with a domain, on port 80 (root)" \
        "  2  a server of your own on this computer (no root)" "  3  the command line alone" >/dev/tty
      case "$(ask "1, 2 or 3 [$kind]?" "$kind")" in
        1|server) kind=server ;; 2|personal) kind=personal ;; 3|cli) kind=cli ;; *) fail "That is none of the three." ;;
      esac
    fi
  fi
  if [ "$kind" = server ] && can_ask; then
    [ -n "$domain" ] || domain=$(ask "Domain of your sites [localhost]?" localhost)
    [ -n "$email" ] || email=$(ask "E-mail address for certificates [none]?" "")
  fi
}

set_defaults() {
  local home=${XDG_DATA_HOME:-${HOME:-/root}/.local/share}
  domain=${domain:-localhost}
  if [ "$kind" = server ]; then
    prefix=${prefix:-/opt/fazt}; http=${http:-:80}
    [ "$domain" = localhost ] || https=${https:-:443}
    [ "$(id -u)" = 0 ] || fail "A server on port 80 is installed by root. Without root there is --kind personal."
  else
    prefix=${prefix:-$home/fazt/program}; http=${http:-127.0.0.1:4698}
  fi
  case "$prefix" in /*) ;; *) prefix=$PWD/$prefix ;; esac
  case "$http" in *:*[0-9]) ;; *) fail "--http is an address and a port, such as 127.0.0.1:4698 or :80." ;; esac
  case "$https" in ""|no|*:*[0-9]) ;; *) fail "--https is an address and a port, such as :443, or no." ;; esac
  [ -z "$from" ] || [ -e "$from" ] || fail "There is no $from."
}

need_python() {
  command -v python3 >/dev/null || fail "Python 3.11 or newer is missing: apt-get install python3 python3-venv"
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "Fazt needs Python 3.11 or newer; this is $(python3 -V)."
}

# --- the release: where it is, and whether it is what it claims to be ---

# Sets `code` (what the checks are imported from) and `wheels` (a folder; empty where they are built later).
find_release() {
  wheels=""
  if [ -n "$from" ] && [ -f "$from/pyproject.toml" ]; then
    from=$(cd "$from" && pwd); code=$from
    return
  fi
  local folder=$work bundle
  if [ -z "$from" ]; then
    bundle=$(download)
  elif [ -d "$from" ]; then
    folder=$from; bundle=$(find "$from" -maxdepth 1 -name "fazt-*-$(tag).tar" -printf "%f\n" | sort -V | tail -n 1)
    [ -n "$bundle" ] || fail "$from holds no bundle for this computer (fazt-<version>-$(tag).tar)."
  else
    folder=$(dirname "$from"); bundle=$(basename "$from")
  fi
  verify "$folder" "$bundle"
  tar -xf "$folder/$bundle" -C "$work" --no-same-owner --no-same-permissions
  wheels=$work/${bundle%.tar}/wheels
  code=$(echo "$wheels"/fazt-*.whl)
  [ -f "$code" ] || fail "$bundle holds no wheel of Fazt."
}

tag() { python3 -c 'import platform, sys; print("cp%d%d-linux_%s" % (*sys.version_info[:2], platform.machine()))'; }

download() {
  [ -n "$releases" ] ||
    fail "No place of releases is known yet: name one with --releases URL, or install --from a checkout or a bundle."
  local base=$releases/latest/download bundle
  [ -z "$version" ] || base=$releases/download/v$version
  command -v curl >/dev/null || fail "curl is missing: apt-get install curl"
  fetch "$base/SHA256SUMS"; fetch "$base/SHA256SUMS.minisig"
  bundle=$(awk -v t="-$(tag).tar" 'substr($2, length($2) - length(t) + 1) == t { print $2 }' "$work/SHA256SUMS")
  [ -n "$bundle" ] || fail "This release has no bundle for $(tag)."
  fetch "$base/$bundle"
  printf %s "$bundle"
}

fetch() { curl -fsSL --retry 3 --proto '=https,http' -o "$work/${1##*/}" "$1" || fail "$1 could not be fetched."; }

# Checksum and signature of a bundle in a folder.
verify() {
  local folder=$1 bundle=$2 line
  case "$bundle" in *[!A-Za-z0-9._+-]*|.*) fail "'$bundle' is no name of a bundle." ;; esac
  [ -f "$folder/SHA256SUMS" ] || fail "$folder has no SHA256SUMS beside the bundle."
  line=$(grep -E "^[0-9a-f]{64}  $(printf %s "$bundle" | sed 's/[.+]/\\&/g')\$" "$folder/SHA256SUMS") ||
    fail "SHA256SUMS does not name $bundle."
  (cd "$folder" && printf '%s\n' "$line" | sha256sum --check --status) ||
    fail "$bundle is damaged: its checksum is another one."
  if [ "$unsigned" = yes ] && [ -n "$from" ]; then
    say "The signature is not checked, as you wished." >&2
    return
  fi
  [ -n "$key" ] ||
    fail "There is no public key to check the signature with: --key KEY, or --unsigned for a bundle of your own."
  [ ! -f "$key" ] || key=$(tail -n 1 "$key")
  [ -f "$folder/SHA256SUMS.minisig" ] || fail "$folder has no SHA256SUMS.minisig: it is not signed."
  verify_signature "$folder/SHA256SUMS" ||
    fail "The signature of SHA256SUMS is not that of the key $key. Nothing was installed."
}

# minisign where it is there, else what it does by hand: Ed25519 over BLAKE2b
# (https://jedisct1.github.io/minisign/#signature-format).
verify_signature() {
  if command -v minisign >/dev/null; then
    minisign -Vqm "$1" -P "$key" >/dev/null 2>&1
    return
  fi
  command -v openssl >/dev/null || fail "To check signatures it takes openssl or minisign: apt-get install openssl"
  local part=$work/signature
  sed -n 2p "$1.minisig" | base64 -d >"$part" 2>/dev/null || return 1
  printf %s "$key" | base64 -d >"$part.key" 2>/dev/null || return 1
  [ "$(wc -c <"$part")" = 74 ] && [ "$(wc -c <"$part.key")" = 42 ] || return 1
  [ "$(head -c 2 "$part")" = ED ] || return 1
  cmp -s <(tail -c +3 "$part" | head -c 8) <(tail -c +3 "$part.key" | head -c 8) || return 1
  # 302a300506032b6570032100: what stands before the key in its DER form (RFC 8410)
  { printf '\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00'; tail -c 32 "$part.key"; } >"$part.der"
  python3 -c 'import hashlib, sys; sys.stdout.buffer.write(hashlib.blake2b(open(sys.argv[1], "rb").read()).digest())' \
    "$1" >"$part.hash"
  tail -c 64 "$part" >"$part.raw"
  openssl pkeyutl -verify -pubin -inkey "$part.der" -keyform DER -rawin -in "$part.hash" -sigfile "$part.raw" \
    >/dev/null 2>&1
}

# --- look, then do ---

# Python out of the wheel or the checkout: of Fazt's own modules only those that need nothing but the standard library.
installer() { PYTHONPATH=$code PYTHONDONTWRITEBYTECODE=1 python3 -s -m fazt.machine.installer "$@"; }

check() {
  local given=(--prefix "$prefix" --domain "$domain") host=${http%:*}
  host=${host#[}; host=${host%]}
  [ "$kind" = cli ] || given+=(--host "$host" --port "${http##*:}")
  case "$https" in ""|no) ;; *) given+=(--https-port "${https##*:}") ;; esac
  [ "$kind" != server ] || given+=(--root)
  [ "$systemd" = no ] || given+=(--systemd)
  [ ! -f "$prefix/service.json" ] || given+=(--own-port)
  say "Checks:"
  installer check "${given[@]}" || fail "Nothing was changed."
}

show_plan() {
  say "Would install ${from:-the release at $releases} under $prefix."
  if [ "$kind" = cli ]; then return; fi
  say "Would then run: $prefix/current/bin/fazt service install $(service_options)"
}

service_options() {
  local options=(--domain "$domain" --http "$http" --prefix "$prefix")
  [ "$kind" != personal ] || options+=(--personal)
  [ "$systemd" = yes ] || options+=(--no-systemd)
  [ -z "$https" ] || options+=(--https "$https")
  [ -z "$email" ] || options+=(--email "$email")
  [ -z "$user" ] || options+=(--user "$user")
  [ -z "$db" ] || options+=(--db "$db")
  printf '%q ' "${options[@]}"
}

put_there() {
  local name options
  [ -n "$wheels" ] || build_wheels
  say "Installing under $prefix"
  name=$(installer lay-down --prefix "$prefix" --wheels "$wheels")
  say "Fazt $name is in place."
  link_command
  [ "$kind" != cli ] || { say "Try: fazt --help"; return; }
  eval "options=($(service_options))" # quoted by printf %q
  "$prefix/current/bin/fazt" service install "${options[@]}"
}

# The wheels of a checkout, its dependencies from the index that pip is configured for. It is copied, so that nothing is
# written to it.
build_wheels() {
  say "Building $from (two or three minutes)"
  wheels=$work/wheels
  python3 -m venv "$work/build"
  mkdir "$work/source"
  tar -C "$from" --exclude=./.git --exclude=./.venv --exclude=./build --exclude=./dist --exclude='*.so' -cf - . |
    tar -C "$work/source" -xf -
  "$work/build/bin/pip" wheel --quiet --disable-pip-version-check --wheel-dir "$wheels" "$work/source" ||
    fail "The checkout did not build. It takes a C compiler and Python's headers: apt-get install gcc python3-dev"
}

# `fazt` in the shell. A file of that name that is not ours stays.
link_command() {
  local folder=$HOME/.local/bin
  [ "$(id -u)" != 0 ] || [ "$kind" = personal ] || folder=/usr/local/bin
  case "$prefix" in /opt/fazt|"$HOME"/*) ;; *) return ;; esac # an installation somewhere else has its own bin/
  mkdir -p "$folder"
  if [ -L "$folder/fazt" ] || [ ! -e "$folder/fazt" ]; then
    ln -sfn "$prefix/current/bin/fazt" "$folder/fazt"
  fi
}

take_away() {
  local home=${XDG_DATA_HOME:-${HOME:-/root}/.local/share} options=() link
  if [ -z "$prefix" ]; then
    prefix=$home/fazt/program; [ "$(id -u)" != 0 ] || prefix=/opt/fazt
  fi
  [ -x "$prefix/current/bin/fazt" ] || { say "Nothing is installed under $prefix."; return; }
  [ "$dry" = no ] || options+=(--dry-run)
  if [ "$purge" = yes ]; then
    options+=(--purge)
    if [ "$yes" = no ] && [ "$dry" = no ]; then
      can_ask || fail "--purge removes all sites; say --yes where nobody can be asked."
      [ "$(ask "Remove all sites of this computer, for good? Type yes:" no)" = yes ] || fail "Nothing was changed."
    fi
    options+=(--yes)
  fi
  [ ! -f "$prefix/service.json" ] ||
    "$prefix/current/bin/fazt" service uninstall --prefix "$prefix" "${options[@]}"
  if [ "$dry" = yes ]; then say "Would remove $prefix."; return; fi
  for link in /usr/local/bin/fazt "$HOME/.local/bin/fazt"; do
    [ "$(readlink "$link" 2>/dev/null)" != "$prefix/current/bin/fazt" ] || rm -f -- "$link"
  done
  # Only what an installation put there, never whatever else lies under a prefix that somebody chose.
  for link in "$prefix"/*/installed.json; do
    [ ! -f "$link" ] || rm -rf -- "${link%/installed.json}"
  done
  rm -f -- "$prefix/current"
  [ ! -d "$prefix" ] || rmdir -- "$prefix" 2>/dev/null || say "$prefix holds other files, and stays."
  say "Fazt is gone from $prefix."
}

main "$@"
