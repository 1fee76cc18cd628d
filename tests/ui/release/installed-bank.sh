# Inside a root that is thrown away: the bank's package is installed, upgraded, removed and purged.
export DEBIAN_FRONTEND=noninteractive
# One that is told to start nothing, as containers are, would not show what is asked of systemd.
rm -f /usr/sbin/policy-rc.d
mkdir -p /run/systemd/system
printf '#!/bin/sh\necho "systemctl $*" >>/calls\n' >/usr/bin/systemctl
chmod 755 /usr/bin/systemctl
told() { echo "== $1"; cat /calls; : >/calls; }
: >/calls
dpkg -i /0 >/dev/null; told install
stat -c '%A %U:%G %n' /etc/tapfill /usr/bin/bank
getent passwd tapfill-bank | cut -d: -f6-
/usr/bin/bank 2>&1 | sed -n 1p
chmod 710 /etc/tapfill
echo keys >/etc/tapfill/bank.toml
install -d -m 700 -o tapfill-bank /var/lib/tapfill-bank
echo key >/var/lib/tapfill-bank/store.key
mkdir -p /etc/systemd/system/multi-user.target.wants
link=/etc/systemd/system/multi-user.target.wants/tapfill-bank.service
ln -s /usr/lib/systemd/system/tapfill-bank.service "$link"
dpkg -i /0 >/dev/null; told upgrade
stat -c '%A' /etc/tapfill
dpkg -r tapfill-bank >/dev/null; told remove
if [ -L "$link" ]; then echo enabled; fi
dpkg -i /0 >/dev/null; told again
dpkg -P tapfill-bank >/dev/null 2>/said; told purge
if [ ! -L "$link" ]; then echo 'no link'; fi
cat /said /etc/tapfill/bank.toml /var/lib/tapfill-bank/store.key
getent passwd tapfill-bank >/dev/null && echo 'the user stays'
rm /etc/tapfill/bank.toml
dpkg -i /0 >/dev/null
dpkg -P tapfill-bank >/dev/null 2>&1
if [ ! -e /etc/tapfill ]; then echo 'an empty folder goes'; fi
