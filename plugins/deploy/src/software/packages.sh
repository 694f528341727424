set -u
do=$1 manager=$2 refresh=$3
shift 3
case $do in *remove) for package; do shift; set -- "$@" "${package%%=*}"; done;; esac
if [ -z "$manager" ]; then
  for try in apt-get dnf yum apk brew; do
    if command -v "$try" > /dev/null; then manager=$try; break; fi
  done
fi
case $manager in
  apt | apt-get) manager=apt program=apt-get;;
  dnf | yum) program=$manager manager=dnf; command -v "$program" > /dev/null || program=yum;;
  apk | brew) program=$manager;;
  *) echo "there is no package manager that is known: apt, dnf, apk or brew" >&2; exit 69;;
esac
if ! command -v "$program" > /dev/null; then echo "there is no $program" >&2; exit 69; fi

version() {
  case $manager in
    apt) v=$(dpkg-query -W -f '${db:Status-Status} ${Version}' -- "$1" 2> /dev/null) && [ "${v%% *}" = installed ] && echo "${v#* }";;
    dnf) rpm -q --qf '%{VERSION}-%{RELEASE}\n' -- "$1" 2> /dev/null;;
    apk) v=$(apk info -e -v -- "$1" 2> /dev/null) && [ -n "$v" ] && echo "${v#"$1"-}";;
    brew) v=$(brew list --versions -- "$1" 2> /dev/null) && [ -n "$v" ] && echo "${v##* }";;
  esac
}

apt() {
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 --no-install-recommends --allow-downgrades "$@"
}

add() {
  case $manager in
    apt) apt install -y -- "$@";;
    dnf)
      for package; do
        shift
        case $package in /*) ;; *=*) package=${package%%=*}-${package#*=};; esac
        set -- "$@" "$package"
      done
      "$program" install -y ${refresh:+--refresh} -- "$@";;
    apk) apk add ${refresh:+--update-cache} -- "$@";;
    brew)
      if [ -n "$refresh" ]; then brew update || exit; fi
      brew install -- "$@";;
  esac
}

drop() {
  case $manager in
    apt) apt remove -y -- "$@";;
    dnf) "$program" remove -y -- "$@";;
    apk) apk del -- "$@";;
    brew) brew uninstall -- "$@";;
  esac
}

case $manager$* in brew*=*) echo "brew has versions in the names of formulas: name@version" >&2; exit 64;; esac

case $do in
  installed)
    for package; do
      if v=$(version "${package%%=*}"); then echo "${package%%=*} $v"; fi
    done;;
  name)
    case $manager in
      apt) exec dpkg-deb -W --showformat='${Package}=${Version}\n' -- "$1";;
      dnf) exec rpm -qp --qf '%{NAME}=%{VERSION}-%{RELEASE}\n' -- "$1";;
      *) echo "files are installed by apt and dnf: give steps of your own" >&2; exit 69;;
    esac;;
  would-*)
    case $manager in
      apt)
        if [ -n "$refresh" ] && [ $do = would-install ]; then apt update >&2 || exit; fi
        v=$(apt ${do#would-} -s -- "$@") || exit
        echo "$v" | sed -nE 's/^(Inst|Remv) ([^ ]+) \[([^]]+)\].*/\2=\3/p; t; s/^Inst ([^ ]+) .*/\1/p';;
      *)
        for package; do
          case $package in /*) package=$(rpm -qp --qf '%{NAME}' -- "$package");; *) package=${package%%=*};; esac
          v=$(version "$package") && package=$package=$v
          echo "$package"
        done;;
    esac;;
  install) add "$@";;
  remove) drop "$@";;
  restore)
    if [ $manager = apt ]; then
      v=$(apt install -s -- "$@") || exit
      for package in $(echo "$v" | sed -n 's/^Remv \([^ ]*\).*/\1/p'); do
        case " $* " in *" $package- "*) ;; *) echo "$package would go too" >&2; exit 69;; esac
      done
      add "$@"
    else
      e=0
      for package; do
        case $package in *-) drop "${package%-}";; *) add "$package";; esac || e=$?
      done
      exit $e
    fi;;
esac
