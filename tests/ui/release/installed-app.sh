# Inside a root that is thrown away: the app's packages (/0 the .deb, /1 the .rpm) are installed, looked at and purged.
export DEBIAN_FRONTEND=noninteractive
state() { dpkg-query -W -f '${Status}\n' tapfill 2>/dev/null || echo 'not there'; }
looked_at() {
  stat -c '%A %U:%G %n' /usr/bin/tapfill
  ldd /usr/bin/tapfill | grep -c 'not found' || true
}
dpkg -i /0 >/dev/null 2>/said || { cat /said; exit 1; }
echo "== deb"
state
looked_at
dpkg --verify tapfill
dpkg -i /0 >/dev/null
echo "== again"
state
dpkg -P tapfill >/dev/null
echo "== purge"
state
ls -d /usr/bin/tapfill /usr/lib/Tapfill /usr/share/doc/tapfill 2>/dev/null || echo 'nothing left'
# What it needs has the names of Fedora's packages.
rpm --force-debian --nodeps -i /1 >/dev/null 2>/said || { cat /said; exit 1; }
echo "== rpm"
rpm -q --qf '%{NAME}\n' tapfill
looked_at
rpm --force-debian -V --nodeps tapfill
rpm --force-debian -e tapfill
echo "== erase"
rpm -q tapfill || true
ls -d /usr/bin/tapfill 2>/dev/null || echo 'nothing left'
