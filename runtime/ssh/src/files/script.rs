//! The scripts. They use what POSIX gives, and beyond it `mktemp`, and `stat` and a digest program as Linux or as BSD has
//! them.

/// Writes standard input to `$1` if it has the digest `$2`, with the mode `$3` and owner `$4` where they are given, making
/// the folders above if `$5` is.
pub(super) const PUT: &str = r#"
set -eu
d=${1%/*}/
if [ -n "$5" ] && ! [ -d "$d" ]; then mkdir -p -- "$d"; fi
if [ -d "$1" ]; then echo "it is a folder" >&2; exit 66; fi
t=$(mktemp -- "$1.XXXXXX")
trap 'rm -f -- "$t"' EXIT
trap 'exit 75' HUP INT TERM PIPE
cat > "$t"
if command -v sha256sum > /dev/null; then g=$(sha256sum < "$t"); else g=$(shasum -a 256 < "$t"); fi
if [ "${g%% *}" != "$2" ]; then echo "what arrived is not what was sent" >&2; exit 65; fi
m=$3
if [ -z "$m" ]; then m=644; if [ -f "$1" ]; then m=$(stat -L -c %a -- "$1" 2> /dev/null || stat -L -f %Lp -- "$1"); fi; fi
if [ -n "$4" ]; then chown -- "$4" "$t"
elif [ -f "$1" ]; then o=$(stat -L -c %u:%g -- "$1" 2> /dev/null || stat -L -f %u:%g -- "$1"); chown -- "$o" "$t" 2> /dev/null || :
fi
chmod -- "$m" "$t"
mv -f -- "$t" "$1"
trap - EXIT
"#;

/// Tells kind, size, mode and owner of `$1`, and with `$2` the digest of a file; or `none`.
pub(super) const STAT: &str = r#"
if ! e=$(LC_ALL=C ls -d -- "$1" 2>&1 > /dev/null); then
  case $e in *"No such file"* | *"Not a directory"*) echo none; exit 0;; *) printf '%s\n' "$e" >&2; exit 66;; esac
fi
if [ -L "$1" ]; then k=symlink; elif [ -f "$1" ]; then k=file; elif [ -d "$1" ]; then k=directory; else k=other; fi
s=$(stat -c '%s %a' -- "$1" 2> /dev/null || stat -f '%z %Lp' -- "$1") || exit 66
o=$(stat -c %U:%G -- "$1" 2> /dev/null || stat -f %Su:%Sg -- "$1") || exit 66
d=
if [ -n "$2" ] && [ "$k" = file ]; then
  if command -v sha256sum > /dev/null; then d=$(sha256sum < "$1"); else d=$(shasum -a 256 < "$1"); fi || exit 66
fi
d=${d%% *}
echo "$k $s ${d:--} $o"
"#;

/// Prints the file `$1`, but no more than `$2` bytes.
pub(super) const READ: &str = r#"
if [ -e "$1" ] && ! [ -f "$1" ]; then echo "it is no regular file" >&2; exit 66; fi
exec head -c "$2" < "$1"
"#;

/// Makes the folder `$1`, with the mode `$2` if it is given.
pub(super) const MAKE_DIR: &str = r#"mkdir -p -- "$1" && if [ -n "$2" ]; then chmod -- "$2" "$1"; fi"#;

/// Renames `$1` to `$2`.
pub(super) const RENAME: &str = r#"
if [ -d "$2" ]; then
  if ! [ -L "$2" ]; then echo "$2 is a folder" >&2; exit 66; fi
  rm -f -- "$2" || exit 66
fi
exec mv -f -- "$1" "$2"
"#;

/// Copies `$1` to `$2`, which is there only once it is whole.
pub(super) const COPY: &str = r#"
if [ -e "$2" ] || [ -L "$2" ]; then echo "$2 is there already" >&2; exit 66; fi
rm -rf -- "$2.part" || exit 66
cp -pPR -- "$1" "$2.part" || exit 66
exec mv -f -- "$2.part" "$2"
"#;

/// Removes `$1`; a folder that is not empty only with `$2`.
pub(super) const REMOVE: &str = r#"
if [ -n "$2" ]; then exec rm -rf -- "$1"; fi
if [ -d "$1" ] && ! [ -L "$1" ]; then exec rmdir -- "$1"; fi
exec rm -f -- "$1"
"#;

/// Tells type and mode, size, owner and path of those of the files that are named on standard input, ended by NUL, that are
/// in the folder `$1`. The type and mode are in hexadecimal. None is there if the folder is not.
pub(super) const STAT_ALL: &str = r#"
if ! [ -d "$1" ]; then
  if [ -e "$1" ] || [ -L "$1" ]; then echo "it is no folder" >&2; exit 66; fi
  exit 0
fi
cd -- "$1" || exit 66
LC_ALL=C; export LC_ALL
if stat -c %f . > /dev/null 2>&1; then xargs -0 stat -c '%f %s %U:%G %n' 2> /dev/null
else xargs -0 stat -f '%Xp %z %Su:%Sg %N' 2> /dev/null; fi
case $? in 0 | 1 | 123) exit 0;; esac
echo "they cannot be looked at: is there an xargs with -0?" >&2; exit 66
"#;

/// Tells the digests of the files in the folder `$1` that are named on standard input, ended by NUL.
pub(super) const DIGEST_ALL: &str = r#"
cd -- "$1" || exit 66
if command -v sha256sum > /dev/null; then exec xargs -0 sha256sum; fi
exec xargs -0 shasum -a 256
"#;

/// Tells all files in the folder `$1` and those below it, and all else that is no folder, each ended by NUL.
pub(super) const LIST: &str = r#"
if ! [ -d "$1" ]; then exit 0; fi
cd -- "$1" && exec find . ! -type d -print0
"#;

/// Removes the files in the folder `$1` that are named on standard input, ended by NUL, if all `$2` bytes of that have come: what
/// is cut off may be the name of another.
pub(super) const REMOVE_ALL: &str = r#"
cd -- "$1" || exit 66
t=$(mktemp) || exit 66
trap 'rm -f -- "$t"' EXIT
trap 'exit 75' HUP INT TERM PIPE
cat > "$t"
if [ "$(wc -c < "$t")" -ne "$2" ]; then echo "the list of files came in part" >&2; exit 65; fi
xargs -0 rm -f -- < "$t"
"#;
