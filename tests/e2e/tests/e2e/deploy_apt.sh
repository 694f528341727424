# Makes the folder $1 a root of its own for apt and dpkg, with a repository, and puts both first into the PATH of the machine, which
# sees the folder as $2.
set -eu
here=$1 there=$2
mkdir -p "$here/bin" && cd "$here"
mkdir -p etc/apt/apt.conf.d etc/apt/preferences.d etc/apt/sources.list.d etc/apt/trusted.gpg.d var/lib/dpkg/info \
  var/lib/dpkg/updates var/lib/dpkg/triggers var/lib/apt/lists/partial var/cache/apt/archives/partial var/log/apt repo
: > var/lib/dpkg/status
: > var/lib/dpkg/available
echo "deb [trusted=yes] file:$there/repo ./" > etc/apt/sources.list
cat > apt.conf << CONF
Dir "$there/";
Dir::State::status "$there/var/lib/dpkg/status";
Dir::Bin::methods "/usr/lib/apt/methods/";
Dir::Bin::dpkg "/usr/bin/dpkg";
DPkg::Options { "--root=$there"; "--log=$there/var/log/dpkg.log"; };
APT::Sandbox::User "root";
Acquire::Languages "none";
CONF
cat > bin/apt-get << PROGRAM
#!/bin/sh
APT_CONFIG=$there/apt.conf exec /usr/bin/apt-get "\$@"
PROGRAM
cat > bin/dpkg-query << PROGRAM
#!/bin/sh
exec /usr/bin/dpkg-query --admindir=$there/var/lib/dpkg "\$@"
PROGRAM
chmod 755 bin/*

# NAME VERSION DEPENDS FOLDER
package() {
  mkdir -p build/DEBIAN build/opt
  printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\nDescription: of a test\n' "$1" "$2" \
    > build/DEBIAN/control
  if [ -n "$3" ]; then echo "Depends: $3" >> build/DEBIAN/control; fi
  echo "$1 $2" > "build/opt/$1"
  # There is no shell in the root, so that what has a script for it fails in the middle.
  if [ "$1" = broken ]; then printf '#!/bin/sh\nexit 1\n' > build/DEBIAN/preinst; chmod 755 build/DEBIAN/preinst; fi
  dpkg-deb --root-owner-group -b build "$4/$1_$2_all.deb" > /dev/null
  rm -r build
}
package greeter 1.0-1 "" repo
package greeter 1.1-1 greeter-data repo
package greeter-data 1.0-1 "" repo
package broken 1.0-1 "" repo
package addon 1.0-1 greeter repo
package greeter 1.2-1 greeter-data .
for file in repo/*.deb; do
  dpkg-deb -f "$file"
  echo "Filename: ./${file#repo/}"
  echo "Size: $(stat -c %s "$file")"
  sum=$(sha256sum < "$file")
  echo "SHA256: ${sum%% *}"
  echo
done > repo/Packages
