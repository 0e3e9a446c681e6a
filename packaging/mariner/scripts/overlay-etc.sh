#!/bin/sh
# In the image's chroot: keeps changes of /etc on /var, since the root is read-only.
set -eu
install -d -m 0755 /var/overlays/etc
install -d -m 0755 /var/overlays/etc/upper /var/overlays/etc/work
if ! grep -q '^overlay /etc ' /etc/fstab; then
    echo 'overlay /etc overlay lowerdir=/etc,upperdir=/var/overlays/etc/upper,workdir=/var/overlays/etc/work,x-systemd.requires-mounts-for=/var 0 0' >>/etc/fstab
fi
exec "$(dirname "$0")/seal.sh"
