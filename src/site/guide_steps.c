/* site/guide_steps.c - every step that a guide can have, in the order in which they are done: a new step is one row.
 *
 * A row says for which nodes it is (traits), its command, why, how to see that it worked, what goes wrong; and where that is from.  Names of the
 * inventory stand outside quotes ({address}, not "{address}"): tests/site/test_guide.c holds every row to it.
 * Where the seeds' advice was wrong (../shared/reference/seed-errors.md), the row has the right one and its `why` the reason.
 */
#include "site/guide.h"

#define WIRED "$(ip -o route show default | cut -d' ' -f5 | head -1)" /* the interface of the default route */

const struct guide_step guide_steps[] = {
    /* ---- firmware ---- */
    { "bios-gti14", GUIDE_PHASE_FIRMWARE, GUIDE_ON_NODES, GUIDE_GTI14, 0, "Update the BIOS to T204 or later", "",
      "Beelink has acknowledged freezes of Linux, during and after its installation, with BIOS T202. From a bootable USB stick or Windows (bee-link.com, drivers), before "
      "any system is installed.",
      "sudo dmidecode -s bios-version", "a version that ends in T204 or a higher number",
      "The update tool does not start: use the USB stick in another port and FAT32. `tutti doctor`: bios-known-bad.",
      "seed 000, part I (Beelink support forum)", "2025-09-15" },
    { "pc-bios", GUIDE_PHASE_FIRMWARE, GUIDE_ON_NODES, GUIDE_PC, GUIDE_LAPTOP, "BIOS: come back after a power cut", "",
      "In the BIOS: restore on AC power loss = power on; all memory at its rated speed (XMP or EXPO); resizable BAR on when there is a card. Secure Boot stays on unless a "
      "driver must be built here (gasket-dkms, NVIDIA): then enrol its key with mokutil.",
      "sudo dmidecode -t memory | grep -E 'Speed'", "Configured Memory Speed equal to Speed", "A module that runs slower than rated costs tokens per second in proportion. `tutti doctor`: memory-slow.",
      "dmidecode(8), type 17; advise/doctor_rules.c, memory-slow", "2026-11-21" },
    { "pi-eeprom", GUIDE_PHASE_FIRMWARE, GUIDE_ON_NODES, GUIDE_PI, 0, "Update the boot loader (EEPROM)",
      "sudo apt update && sudo apt full-upgrade -y\nsudo rpi-eeprom-update -a && sudo reboot",
      "It lies on the board, not on the card, and knows more drives and faster memory timings with every release. Start once from a microSD card for it.",
      "sudo rpi-eeprom-update", "BOOTLOADER: up to date", "\"no updates\" on an old system: update the system first; the package rpi-eeprom brings the images. Do not cut the power while it reboots. `tutti doctor`: pi-eeprom-age.",
      "raspberrypi.com documentation, Raspberry Pi boot EEPROM", "2026-11-21" },
    { "pi5-nvme", GUIDE_PHASE_FIRMWARE, GUIDE_ON_NODES, GUIDE_PI5, 0, "Boot from NVMe (when this Pi has a drive)",
      "grep -q '^dtparam=pciex1$' /boot/firmware/config.txt || echo dtparam=pciex1 | sudo tee -a /boot/firmware/config.txt\n"
      "sudo rpi-eeprom-config --edit    # BOOT_ORDER=0xf416, and PCIE_PROBE=1 for a board that is no HAT+\nsudo reboot",
      "An EEPROM update alone does not boot from NVMe: the boot order must name it (0xf416 is read from the right: NVMe, SD card, USB, again). A HAT+ switches "
      "the PCIe connector on by itself, other boards need the line. The link is left as it is certified: Gen 2 x1, some 450 MB/s. The seeds' 800 MB/s are Gen 3, for which "
      "the Raspberry Pi 5 is not certified.",
      "lsblk -no NAME,MOUNTPOINTS | grep nvme; sudo vcgencmd bootloader_config | grep BOOT_ORDER", "a partition of nvme0n1 at /, and BOOT_ORDER=0xf416",
      "No nvme0n1: the flat cable (contacts, direction), a drive that wants more current than the board gives, PCIE_PROBE missing. `dmesg | grep -i pcie` shows the link. `tutti doctor`: pi-nvme-gen2, pi-nvme-gen3.",
      "raspberrypi.com documentation, PCIe (github raspberrypi/documentation, pcie.adoc); seed-errors 000-08, 000-09", "2026-11-21" },
    { "jetson-firmware", GUIDE_PHASE_FIRMWARE, GUIDE_ON_NODES, GUIDE_JETSON, 0, "Firmware first, then the SD card", "sudo nvbootctrl dump-slots-info",
      "An Orin Nano developer kit that was made for JetPack 5 does not boot a JetPack 6 card: its firmware (QSPI) must be updated before, by NVIDIA's Initial Setup Guide or "
      "SDK Manager. JetPack 7.2 raises the firmware to 39.x: then cards of JetPack 6 do not boot any more, and the way back is SDK Manager.",
      "sudo nvbootctrl dump-slots-info | grep -i version", "36.4 or later for JetPack 6.2; 39 for JetPack 7.2",
      "A black screen or a loop in UEFI: the card is newer than the firmware. Never cut the power during the update.",
      "docs.nvidia.com/jetson/jetpack/install-setup; github ashBabu/Utilities wiki, Flashing Jetson (2026-07-21)", "2026-11-21" },

    /* ---- operating systems ---- */
    { "os-pc", GUIDE_PHASE_SYSTEM, GUIDE_ON_NODES, GUIDE_PC, 0, "Install Debian 13 or Ubuntu Server 24.04 LTS", "",
      "A server system without a desktop. The seeds' Ubuntu 22.04 starts with kernel 5.15, which has no driver for the NPU of a Core Ultra (intel_vpu came with 6.3) and none "
      "for its GPU that computes. Take OpenSSH in the installer and your key.",
      "uname -r; systemctl get-default", "6.8 or later; multi-user.target", "Freezes in the installer: the BIOS first.", "kernel.org drivers/accel/ivpu (6.3); seed 000, part I", "2026-11-21" },
    { "os-pi", GUIDE_PHASE_SYSTEM, GUIDE_ON_NODES, GUIDE_PI, 0, "Flash Raspberry Pi OS Lite, 64 bit", "",
      "With Raspberry Pi Imager on another computer, to the card or the drive; set host name, user and SSH key in its settings. Lite has no desktop. Not the 32-bit image: it "
      "calls itself Raspbian, and its programs have no 8-bit dot product and 3 GiB of memory each.",
      "uname -m; . /etc/os-release; echo $PRETTY_NAME", "aarch64, and Debian GNU/Linux 12 or 13 (the 64-bit system does not say Raspbian)",
      "armv7l: the wrong image. The lightning or low-voltage warning: the official supply (Pi 5: 5 V 5 A, 27 W; Pi 4: 5 V 3 A), no hub, no phone charger; a PoE HAT must "
      "give 25 W for a Pi 5 with a drive (802.3at).",
      "raspberrypi.com documentation; seed-errors 000-11", "2026-11-21" },
    { "os-jetson", GUIDE_PHASE_SYSTEM, GUIDE_ON_NODES, GUIDE_JETSON, 0, "Install JetPack", "sudo apt update && sudo apt install -y nvidia-jetpack",
      "Only NVIDIA's system brings the GPU's driver, CUDA and TensorRT. JetPack 6.2 is Ubuntu 22.04 with kernel 5.15-tegra; JetPack 5 is Ubuntu 20.04 with 5.10: what "
      "the seeds printed (20.04 beside 5.15) does not exist. Image or SDK Manager first, then this package.",
      "cat /etc/nv_tegra_release; uname -r", "R36 and a kernel 5.15...-tegra (JetPack 7: R38 or R39 and 6.8)",
      "Kernel and L4T of different releases: flash again, do not mix packages. `tutti doctor`: jetpack-mismatch, jetson-generic-linux.", "NVIDIA Jetson Linux release notes; seed-errors 000-05", "2026-11-21" },
    { "hostname", GUIDE_PHASE_SYSTEM, GUIDE_ON_NODES, GUIDE_LINUX | GUIDE_MANY, 0, "Name the machine", "sudo hostnamectl set-hostname {node}",
      "Manifests, certificates and dashboards call it {node}. Two nodes of K3s cannot have the same name, and fresh images all have the same.", "hostnamectl --static", "{node}",
      "sudo: unable to resolve host: write the new name into the line 127.0.1.1 of /etc/hosts.", "docs.k3s.io/installation/requirements", "2026-11-21" },
    { "laptop-awake", GUIDE_PHASE_SYSTEM, GUIDE_ON_NODES, GUIDE_LAPTOP | GUIDE_LINUX, 0, "A laptop that stays awake",
      "sudo systemctl mask sleep.target suspend.target hibernate.target hybrid-sleep.target\nsudo mkdir -p /etc/systemd/logind.conf.d\n"
      "printf '[Login]\\nHandleLidSwitch=ignore\\nHandleLidSwitchExternalPower=ignore\\n' | sudo tee /etc/systemd/logind.conf.d/tutti.conf\nsudo systemctl restart systemd-logind",
      "A node that sleeps when its lid closes is lost in the middle of answers. When you take it with you it is gone all the same: nothing that must always be there is placed "
      "on it alone.",
      "systemctl is-enabled suspend.target", "masked", "It gets hot with the lid closed: stand it upright, or leave the lid open.", "logind.conf(5)", "2026-11-21" },
    { "pi-cgroups", GUIDE_PHASE_SYSTEM, GUIDE_ON_NODES, GUIDE_PI | GUIDE_K3S, 0, "Switch the memory cgroup on",
      "grep -q cgroup_enable=memory /boot/firmware/cmdline.txt || sudo sed -i '1s/$/ cgroup_memory=1 cgroup_enable=memory/' /boot/firmware/cmdline.txt\nsudo reboot",
      "Raspberry Pi OS starts without it, and K3s then ends with \"failed to find memory cgroup\". The file is one line: a second line is ignored.", "cat /sys/fs/cgroup/cgroup.controllers",
      "a list that has the word memory", "Still missing: the words stand on a second line, or in /boot/cmdline.txt, which systems from Debian 12 on do not read. `tutti doctor`: pi-cgroup-memory.",
      "docs.k3s.io/installation/requirements, Raspberry Pi", "2026-11-21" },
    { "pi-swap", GUIDE_PHASE_SYSTEM, GUIDE_ON_NODES, GUIDE_PI, 0, "Swap into compressed memory, not onto the card",
      "if systemctl is-enabled -q dphys-swapfile; then sudo dphys-swapfile swapoff && sudo systemctl disable --now dphys-swapfile && sudo apt install -y zram-tools; fi",
      "A model that swaps to an SD card stands still and wears it. Systems from Debian 13 on (rpi-swap) use zram by themselves; Debian 12 has a file, which this replaces. K3s "
      "runs with swap (its kubelet is told not to refuse).",
      "swapon --show=NAME --noheadings", "/dev/zram0, and nothing else", "Nothing is printed: zram-tools needs a reboot when the kernel was updated. `tutti doctor`: swap-on-sd, no-swap.", "github raspberrypi/rpi-swap; advise/doctor_rules.c, swap-on-sd", "2026-11-21" },
    { "jetson-power", GUIDE_PHASE_SYSTEM, GUIDE_ON_NODES, GUIDE_JETSON, 0, "The fastest power mode",
      "grep 'POWER_MODEL ID' /etc/nvpmodel.conf\nsudo nvpmodel -m 2    # the id of MAXN_SUPER in that list (Orin Nano 8GB, JetPack 6.2: 2)",
      "The mode limits cores, GPU and memory clock; it comes at 15 or 25 W. The 40 TOPS of the seeds are sparse and from before December 2024: the same board makes 67 sparse, "
      "33 dense, with the Super mode of JetPack 6.1 rev. 1 and later, and 102 GB/s instead of 68.",
      "sudo nvpmodel -q", "MAXN_SUPER (MAXN on older boards)", "It throttles (\"System throttled due to over-current\"): its own supply, the fan at full speed; else mode 1, 25 W. `tutti doctor`: jetson-power-mode, jetson-super.",
      "developer.nvidia.com, Jetson Orin Nano Super (2024-12); seed-errors 000-04", "2026-11-21" },
    { "jetson-desktop", GUIDE_PHASE_SYSTEM, GUIDE_ON_NODES, GUIDE_JETSON, 0, "No desktop", "sudo systemctl set-default multi-user.target && sudo systemctl isolate multi-user.target",
      "CPU and GPU share the memory: the desktop's 0.8 GiB are a third of a small model.", "systemctl get-default", "multi-user.target",
      "You work at its screen: leave the desktop on, and write what is left into the inventory's free memory.", "advise/doctor_rules.c, unified-headroom", "2026-11-21" },

    /* ---- network and time ---- */
    { "address-nm", GUIDE_PHASE_NETWORK, GUIDE_ON_NODES, GUIDE_ADDRESS | GUIDE_LINUX, GUIDE_NETPLAN | GUIDE_IFUPDOWN, "A fixed address",
      "sudo nmcli con mod \"$(nmcli -g NAME,DEVICE con show --active | grep \":" WIRED "$\" | cut -d: -f1)\" ipv4.method manual ipv4.addresses {cidr} ipv4.gateway {gateway} ipv4.dns {gateway}\n"
      "sudo nmcli dev reapply " WIRED,
      "K3s, certificates and the list of nodes name it by {address}. Raspberry Pi OS (from Debian 12 on) and JetPack use NetworkManager. A reservation in the router "
      "is as good: then skip this.",
      "ip -br -4 address", "{cidr}", "You are cut off in the middle: the address is taken, or is in the router's DHCP range. Come in over a screen, or take the card out.",
      "nmcli(1)", "2026-11-21" },
    { "address-netplan", GUIDE_PHASE_NETWORK, GUIDE_ON_NODES, GUIDE_ADDRESS | GUIDE_NETPLAN, 0, "A fixed address",
      "IF=" WIRED "\nsudo netplan set --origin-hint=90-tutti ethernets.$IF.dhcp4=false ethernets.$IF.addresses='['{cidr}']'\n"
      "sudo netplan set --origin-hint=90-tutti ethernets.$IF.routes='[{to: default, via: '{gateway}'}]' ethernets.$IF.nameservers.addresses='['{gateway}']'\nsudo netplan try",
      "K3s, certificates and the list of nodes name it by {address}. `netplan try` takes the change back after 120 s unless you confirm it. A reservation in the router is as good: then "
      "skip this.",
      "ip -br -4 address", "{cidr}", "Two addresses: the installer's file in /etc/netplan still says dhcp4: true.", "netplan-set(8), netplan-try(8)", "2026-11-21" },
    { "address-ifupdown", GUIDE_PHASE_NETWORK, GUIDE_ON_NODES, GUIDE_ADDRESS | GUIDE_IFUPDOWN, 0, "A fixed address",
      "IF=" WIRED "\nprintf 'auto %s\\niface %s inet static\\n  address %s\\n  gateway %s\\n' \"$IF\" \"$IF\" {cidr} {gateway} | sudo tee /etc/network/interfaces.d/tutti\n"
      "sudo sed -i \"/iface $IF inet dhcp/s/^/#/\" /etc/network/interfaces && sudo systemctl restart networking",
      "K3s, certificates and the list of nodes name it by {address}. This is for Debian's server installation (ifupdown); with a desktop it is NetworkManager's. A reservation in the router is as "
      "good: then skip this.",
      "ip -br -4 address", "{cidr}", "You are cut off: the address is taken or the interface has another name. Come in at its screen.", "interfaces(5)", "2026-11-21" },
    { "address-reserve", GUIDE_PHASE_NETWORK, GUIDE_ON_NODES, GUIDE_MANY, GUIDE_ADDRESS, "Reserve its address in the router", "",
      "The inventory names no address (or no gateway) for it. A cluster whose nodes change their addresses falls apart after a power cut: reserve one by its MAC address, and write "
      "it into the inventory.",
      "ip -br -4 address", "the same address after a reboot", "A laptop has one MAC address for Wi-Fi and one for the cable: reserve both. `tutti doctor`: address-by-dhcp.", "seed 000, part I", "2026-11-21" },
    { "hosts", GUIDE_PHASE_NETWORK, GUIDE_ON_NODES, GUIDE_LINUX | GUIDE_MANY | GUIDE_FEW, 0, "Names without a name server",
      "printf '%s %s\\n' {pairs} | sudo tee -a /etc/hosts", "Nodes find each other by name while the router is rebooting. With a name server of your own: skip this.", "getent hosts {head}",
      "its address", "Done twice: delete the double lines of /etc/hosts.", "hosts(5)", "2026-11-21" },
    { "link", GUIDE_PHASE_NETWORK, GUIDE_ON_NODES, GUIDE_LINUX | GUIDE_MANY, GUIDE_WIFI, "The cable gives what it should", "cat /sys/class/net/" WIRED "/speed",
      "A cable with a broken pair falls back to 100 Mbit/s without a word: then a model of 5 GB takes 7 minutes, and frames stall.", "cat /sys/class/net/" WIRED "/speed",
      "1000, or 2500 where card and switch can ({switch_gbit} Gbit/s by the inventory)", "100: another cable (all 8 wires), another port. `tutti doctor`: link-100m.", "arithmetic; advise/doctor_rules.c", "2026-11-21" },
    { "wifi", GUIDE_PHASE_NETWORK, GUIDE_ON_NODES, GUIDE_WIFI | GUIDE_LINUX, 0, "Wi-Fi without its naps",
      "sudo nmcli con mod \"$(nmcli -g NAME,TYPE con show --active | grep wireless | cut -d: -f1)\" wifi.powersave 2",
      "Power saving adds up to 100 ms to a packet. A cable is better for everything: frames of a camera wait behind the neighbours' videos.", "iw dev | grep -c Interface; iw dev wlan0 get power_save",
      "Power save: off", "The interface has another name: the first command lists them (iw dev).", "NetworkManager.conf(5): 2 is disable", "2026-11-21" },
    { "time", GUIDE_PHASE_NETWORK, GUIDE_ON_NODES, GUIDE_LINUX, 0, "The right time", "sudo timedatectl set-ntp true",
      "Certificates are not valid before they were made: a node whose clock is behind cannot join. A Raspberry Pi 4 has no clock that runs without power.", "timedatectl show -p NTPSynchronized --value", "yes",
      "no, after a minute: port 123/udp is closed, or no NTP client: sudo apt install systemd-timesyncd. `tutti doctor`: time-not-synced.", "timedatectl(1)", "2026-11-21" },
    { "wake", GUIDE_PHASE_NETWORK, GUIDE_ON_NODES, GUIDE_WAKE | GUIDE_LINUX, 0, "Wake-on-LAN",
      "sudo apt install -y ethtool\nprintf '[Match]\\nMACAddress=%s\\n[Link]\\nNamePolicy=keep kernel database onboard slot path\\nWakeOnLan=magic\\n' {mac} | sudo tee /etc/systemd/network/50-tutti-wake.link\nsudo reboot",
      "The inventory says that it may be woken (MAC address {mac}): it can sleep until an expert on it is asked. The BIOS has a switch for it, too; Wi-Fi mostly cannot.",
      "sudo ethtool " WIRED " | grep 'Wake-on:'", "Wake-on: g", "Wake-on: d: the BIOS forbids it (ErP or deep sleep must be off).", "systemd.link(5)", "2026-11-21" },
    { "firewall-k3s", GUIDE_PHASE_NETWORK, GUIDE_ON_NODES, GUIDE_LINUX | GUIDE_K3S | GUIDE_ADDRESS, 0, "Let the nodes talk, nobody else",
      "if sudo ufw status 2>/dev/null | grep -q 'Status: active'; then for from in {subnet} 10.42.0.0/16 10.43.0.0/16; do sudo ufw allow from $from; done; fi",
      "K3s needs 6443/tcp (to the head), 8472/udp and 10250/tcp between all nodes; pods are 10.42.0.0/16, services 10.43.0.0/16. 8472 must never be open to the world: who "
      "reaches it is inside the cluster's network.",
      "sudo ufw status | head -3", "inactive, or rules that name {subnet}", "Pods on one node reach each other and those on others do not: 8472/udp is closed somewhere.", "docs.k3s.io/installation/requirements, inbound rules", "2026-11-21" },
    { "firewall-list", GUIDE_PHASE_NETWORK, GUIDE_ON_NODES, GUIDE_LINUX | GUIDE_LIST | GUIDE_ADDRESS, 0, "Let the nodes talk, nobody else",
      "if sudo ufw status 2>/dev/null | grep -q 'Status: active'; then for port in 8080 8444; do sudo ufw allow proto tcp from {subnet} to any port $port; done; fi",
      "8080 is for people and programs, 8444 for the other nodes (with a certificate on both sides).", "sudo ufw status | head -3", "inactive, or rules that name {subnet}",
      "A node is silent in `tutti cluster status`: try `nc -vz {address} 8444` from another.", "docs/cluster.md", "2026-11-21" },

    /* ---- drivers: before K3s, which looks for runtimes when it starts ---- */
    { "coral-usb", GUIDE_PHASE_DRIVERS, GUIDE_ON_NODES, GUIDE_CORAL_USB, 0, "Coral USB: the Edge TPU's library",
      "sudo apt install -y curl gnupg\ncurl -fsSL https://packages.cloud.google.com/apt/doc/apt-key.gpg | sudo gpg --dearmor --yes -o /usr/share/keyrings/coral-edgetpu.gpg\n"
      "echo 'deb [signed-by=/usr/share/keyrings/coral-edgetpu.gpg] https://packages.cloud.google.com/apt coral-edgetpu-stable main' | sudo tee /etc/apt/sources.list.d/coral-edgetpu.list\n"
      "sudo apt update && sudo apt install -y libedgetpu1-std usbutils\nsudo usermod -aG plugdev \"$USER\"",
      "The package brings the library and the udev rule for both identities of the stick: 1a6e:089a until its first use, 18d1:9302 from then on. There is no device node for the stick: it is driven "
      "through libusb, and a container gets its place below /dev/bus/usb from `tutti device-plugin`. (Coral's own page still uses apt-key, which Debian 12 and later do not have.)",
      "lsusb | grep -E '1a6e:089a|18d1:9302'", "one line; after the first inference it says 18d1:9302 Google Inc.",
      "\"Failed to load delegate\": library and TensorFlow Lite do not match (Google's is of TF 2.5 and its project is archived; 2.12 and later crash): take the builds of github.com/feranick/libedgetpu for your "
      "version. It vanishes under load: its own cable, a blue port, a supply that gives 900 mA there. It runs no language models: 8 MB of memory, 8-bit TensorFlow Lite graphs that "
      "were compiled for it. `tutti doctor`: udev-coral, usb2-stick.",
      "github google-coral/edgetpu issues 812, 915; glossyio/traffic-monitor PR 122 (archived); seed-errors 000-01, 001-27", "2026-11-21" },
    { "coral-pcie-pi5", GUIDE_PHASE_DRIVERS, GUIDE_ON_NODES, GUIDE_CORAL_PCIE | GUIDE_PI5, 0, "Coral PCIe on a Raspberry Pi 5: the kernel with 4 KiB pages",
      "printf '%s\\n' '[all]' dtparam=pciex1 kernel=kernel8.img dtoverlay=pcie-32bit-dma-pi5 dtoverlay=pciex1-compat-pi5,no-mip | sudo tee -a /boot/firmware/config.txt\nsudo reboot",
      "The driver needs 4 KiB pages (the Pi 5's own kernel has 16), DMA below 4 GiB and the MSI parent that it knows.", "getconf PAGESIZE; ls /boot/firmware/overlays/pcie-32bit-dma-pi5.dtbo",
      "4096, and the file", "The overlay is not there: an older system; its name was pcie-32bit-dma. Nothing on the bus: `lspci -nn | grep 1ac1`. `tutti doctor`: coral-on-pi5.", "jeffgeerling.com (2023-11); raspberrypi/firmware overlays; seed-errors 000-10", "2026-11-21" },
    { "coral-pcie", GUIDE_PHASE_DRIVERS, GUIDE_ON_NODES, GUIDE_CORAL_PCIE, 0, "Coral PCIe or M.2: the kernel's driver",
      "sudo apt install -y git devscripts debhelper dh-dkms dkms \"linux-headers-$(uname -r)\"\ngit clone https://github.com/feranick/gasket-driver && cd gasket-driver && debuild -us -uc -tc -b && "
      "sudo apt install -y ../gasket-dkms_*_all.deb\nsudo groupadd -f apex && sudo usermod -aG apex \"$USER\"\n"
      "echo 'SUBSYSTEM==\"apex\", MODE=\"0660\", GROUP=\"apex\"' | sudo tee /etc/udev/rules.d/65-apex.rules && sudo udevadm control --reload && sudo udevadm trigger",
      "Google's package gasket-dkms 1.0-18 does not build on kernels from 6.4 on (class_create), 6.8 (eventfd_signal) and 6.12 (no_llseek), and its project takes no more changes; this fork does.",
      "ls -l /dev/apex_0; dkms status gasket", "the device, and \"installed\"",
      "It fails on a kernel that is newer still (6.17 and 6.19 broke others): hold the kernel (sudo apt-mark hold), or use the USB stick, which needs no driver. Secure Boot: enrol the key of DKMS (mokutil). `tutti doctor`: accelerator-without-driver, apex-permission.",
      "github google/gasket-driver issues 36, 43, 51; google-coral/edgetpu 866, 911; feranick/gasket-driver", "2026-11-21" },
    { "ncs2", GUIDE_PHASE_DRIVERS, GUIDE_ON_NODES, GUIDE_NCS2, 0, "Neural Compute Stick 2: the rule, and the last OpenVINO that knows it",
      "echo 'SUBSYSTEM==\"usb\", ATTRS{idVendor}==\"03e7\", MODE=\"0660\", GROUP=\"plugdev\"' | sudo tee /etc/udev/rules.d/97-myriad.rules\nsudo udevadm control --reload && sudo udevadm trigger\n"
      "sudo usermod -aG plugdev \"$USER\"",
      "Not any OpenVINO: 2022.3 is the last release line with the MYRIAD plug-in. It has no packages for today's Python, so it belongs into a container (archives: "
      "storage.openvinotoolkit.org/repositories/openvino/packages/2022.3.1/linux). The rule names the vendor alone because the stick changes its identity when it boots: 03e7:2485, then 03e7:f63b.",
      "lsusb | grep 03e7", "03e7:2485 (not booted) or 03e7:f63b (booted)",
      "X_LINK_DEVICE_NOT_FOUND in a container: it got the first identity only; `tutti device-plugin` gives it both. No fixes come any more: for something new take a Hailo, or the CPU. 4 TOPS is the sum "
      "on paper, the neural engine has 1. `tutti doctor`: udev-ncs, ncs-end-of-life.",
      "docs.openvino.ai release notes 2022.3 LTS, 2023.0; seed-errors 000-02, 000-03", "2026-11-21" },
    { "hailo", GUIDE_PHASE_DRIVERS, GUIDE_ON_NODES, GUIDE_HAILO | GUIDE_PI, GUIDE_HAILO10, "Hailo-8 and 8L: driver and HailoRT", "sudo apt install -y dkms && sudo apt install -y hailo-all\nsudo reboot",
      "Driver, firmware, runtime and Tappas in versions that belong together. The AI HAT+ runs its link at Gen 3 by itself; the AI Kit (M.2) is recommended to: dtparam=pciex1_gen=3, "
      "for which the Pi 5 itself is not certified.",
      "hailortcli fw-control identify", "Device Architecture: HAILO8 or HAILO8L",
      "Driver version is different from library version: container and host must have the same HailoRT. hailo-all and hailo-h10-all exclude each other.", "raspberrypi.com documentation, AI (computers/ai/getting-started.adoc)", "2026-11-21" },
    { "hailo10", GUIDE_PHASE_DRIVERS, GUIDE_ON_NODES, GUIDE_HAILO10 | GUIDE_PI, 0, "Hailo-10H (AI HAT+ 2): driver and HailoRT", "sudo apt install -y dkms && sudo apt install -y hailo-h10-all\nsudo reboot",
      "Another package than for Hailo-8; the two exclude each other.", "hailortcli fw-control identify", "Device Architecture: HAILO10H", "The wrong package: sudo apt purge hailo-all, then this one.",
      "raspberrypi.com documentation, AI (computers/ai/getting-started.adoc)", "2026-11-21" },
    { "hailo-pc", GUIDE_PHASE_DRIVERS, GUIDE_ON_NODES, GUIDE_HAILO, GUIDE_PI, "Hailo: driver and HailoRT", "",
      "From hailo.ai's developer zone (an account is asked for): the PCIe driver's package and HailoRT, of the same version.", "hailortcli fw-control identify", "Device Architecture: HAILO...",
      "Driver and library of different versions refuse each other.", "hailo.ai developer zone", "2026-11-21" },
    { "nvidia-debian", GUIDE_PHASE_DRIVERS, GUIDE_ON_NODES, GUIDE_NVIDIA, GUIDE_NETPLAN, "NVIDIA: the card's driver",
      "sudo apt install -y \"linux-headers-$(dpkg --print-architecture)\" nvidia-driver\nsudo reboot", "Components contrib, non-free and non-free-firmware must be on in /etc/apt/sources.list. Blackwell cards want 570 or later.", "nvidia-smi",
      "the card's name and memory", "NVIDIA-SMI has failed: Secure Boot refuses the module (enrol the key: mokutil), or nouveau has the card.", "wiki.debian.org/NvidiaGraphicsDrivers", "2026-11-21" },
    { "nvidia-ubuntu", GUIDE_PHASE_DRIVERS, GUIDE_ON_NODES, GUIDE_NVIDIA | GUIDE_NETPLAN, 0, "NVIDIA: the card's driver", "sudo ubuntu-drivers install --gpgpu\nsudo reboot", "The server series without a desktop. Blackwell cards want 570 or later.", "nvidia-smi",
      "the card's name and memory (sudo apt install nvidia-utils-VERSION-server where the program is missing)", "NVIDIA-SMI has failed: Secure Boot refuses the module (enrol the key: mokutil), or nouveau has the card.",
      "documentation.ubuntu.com/server, NVIDIA drivers installation", "2026-11-21" },
    { "nvidia-toolkit", GUIDE_PHASE_DRIVERS, GUIDE_ON_NODES, GUIDE_NVIDIA | GUIDE_K3S, 0, "NVIDIA: the container runtime, before K3s",
      "sudo apt install -y curl gnupg\ncurl -fsSL https://nvidia.github.io/libnvidia-container/gpgkey | sudo gpg --dearmor --yes -o /usr/share/keyrings/nvidia-container-toolkit-keyring.gpg\n"
      "curl -fsSL https://nvidia.github.io/libnvidia-container/stable/deb/nvidia-container-toolkit.list | sed 's#deb https://#deb [signed-by=/usr/share/keyrings/nvidia-container-toolkit-keyring.gpg] https://#g' | sudo "
      "tee /etc/apt/sources.list.d/nvidia-container-toolkit.list\nsudo apt update && sudo apt install -y nvidia-container-toolkit",
      "K3s looks for nvidia-container-runtime when it starts and configures its own containerd. Nothing is to be edited below /etc/containerd: K3s does not read it.",
      "nvidia-container-runtime --version", "a version", "Installed after K3s: restart it (sudo systemctl restart k3s or k3s-agent). `tutti doctor`: k3s-nvidia-runtime.", "docs.nvidia.com container-toolkit install guide; docs.k3s.io/advanced; seed-errors 000-15", "2026-11-21" },
    { "jetson-toolkit", GUIDE_PHASE_DRIVERS, GUIDE_ON_NODES, GUIDE_JETSON | GUIDE_K3S, 0, "Jetson: the container runtime, before K3s", "sudo apt install -y nvidia-container-toolkit",
      "It comes from NVIDIA's Jetson repository, which JetPack has set up. K3s looks for nvidia-container-runtime when it starts and configures its own containerd: nothing is to be edited "
      "below /etc/containerd.",
      "nvidia-container-runtime --version", "a version", "Installed after K3s: sudo systemctl restart k3s-agent. `tutti doctor`: k3s-nvidia-runtime.", "docs.k3s.io/advanced, alternative container runtimes; seed-errors 000-15", "2026-11-21" },
    { "intel", GUIDE_PHASE_DRIVERS, GUIDE_ON_NODES, GUIDE_INTEL | GUIDE_LINUX, 0, "Intel GPU and NPU: access and runtimes",
      "sudo apt install -y intel-opencl-icd clinfo\nsudo usermod -aG render,video \"$USER\"",
      "The kernel drivers are there (i915 or xe; intel_vpu for the NPU). OpenVINO finds the GPU through OpenCL; the NPU also wants the packages of github.com/intel/linux-npu-driver. TOPS of CPU, GPU and NPU "
      "do not add up for one model, and a language model is bound by the memory's bandwidth.",
      "ls /dev/dri/renderD128; ls /dev/accel/accel0; clinfo -l", "the devices (accel0 only with an NPU), and the GPU's name",
      "Permission denied: log in again after usermod. No accel0 on a Core Ultra: the kernel is older than 6.3, or its firmware (linux-firmware) is missing.", "docs.openvino.ai, GPU and NPU configuration; seed-errors 000-17", "2026-11-21" },
    { "amd", GUIDE_PHASE_DRIVERS, GUIDE_ON_NODES, GUIDE_AMD | GUIDE_LINUX, 0, "AMD GPU: Vulkan", "sudo apt install -y mesa-vulkan-drivers vulkan-tools firmware-amd-graphics || sudo apt install -y mesa-vulkan-drivers vulkan-tools\nsudo usermod -aG render,video \"$USER\"",
      "llama.cpp's Vulkan backend runs on every AMD GPU of the last years without ROCm.", "vulkaninfo --summary | grep deviceName", "the card's name (not llvmpipe alone)", "Only llvmpipe: you are not in the group render, or amdgpu has no firmware.", "docs of llama.cpp, Vulkan", "2026-11-21" },

    /* ---- K3s ---- */
    { "jetson-netfilter", GUIDE_PHASE_K3S, GUIDE_ON_NODES, GUIDE_JETSON | GUIDE_K3S, 0, "Jetson: the kernel modules that K3s' network needs",
      "printf '%s\\n' br_netfilter overlay vxlan | sudo tee /etc/modules-load.d/k3s.conf\nsudo modprobe -a br_netfilter overlay vxlan",
      "NVIDIA's kernel does not load br_netfilter by itself: then the node is Ready and its pods reach no service, not even DNS.", "lsmod | grep -c -E '^(br_netfilter|overlay|vxlan) '", "3",
      "\"Couldn't load match `comment'\": that kernel has no xt_comment: sudo update-alternatives --set iptables /usr/sbin/iptables-legacy, and K3s' server with --disable-network-policy. `tutti doctor`: k3s-bridge-filter.",
      "github NVIDIA/NemoClaw issues 1076, 2418; NVIDIA/OpenShell PR 568", "2026-11-21" },
    { "k3s-server", GUIDE_PHASE_K3S, GUIDE_ON_NODES, GUIDE_HEAD | GUIDE_K3S, 0, "The server",
      "curl -sfL https://get.k3s.io | sh -s - server --node-name {node} --tls-san {head_at}{node_ip}",
      "One binary with containerd, flannel, CoreDNS and SQLite. It wants 2 cores and 2 GB: a server with a workload was measured at 1.6 GB (the seeds' 512 MB are the minimum of an agent). It brings its own "
      "containerd; Podman is no container runtime for Kubernetes (it has no CRI).",
      "sudo k3s kubectl get nodes", "{node}, Ready, control-plane", "It does not start: sudo journalctl -u k3s -n 50; and sudo k3s check-config. It is to go: sudo k3s-uninstall.sh.",
      "docs.k3s.io/quick-start, /installation/requirements, /reference/resource-profiling; seed-errors 000-06, 000-07", "2026-11-21" },
    { "k3s-token", GUIDE_PHASE_K3S, GUIDE_ON_HEAD, GUIDE_WORKER | GUIDE_K3S, 0, "The token for the agents", "sudo cat /var/lib/rancher/k3s/server/node-token",
      "Who has it can join, for ever: keep it out of files and chats. `sudo k3s token create` makes one that expires.", "sudo test -s /var/lib/rancher/k3s/server/node-token && echo there", "there", "Empty or missing: the server is not up yet.",
      "docs.k3s.io/quick-start, /cli/token", "2026-11-21" },
    { "k3s-agent", GUIDE_PHASE_K3S, GUIDE_ON_NODES, GUIDE_WORKER | GUIDE_K3S | GUIDE_LINUX, 0, "The agents",
      "read -rs K3S_TOKEN && export K3S_TOKEN    # paste the token; it is not shown and not kept in the history\n"
      "curl -sfL https://get.k3s.io | K3S_URL=https://{head_at}:6443 sh -s - agent --node-name {node}{node_ip}",
      "An agent takes 270 MB (measured on a Pi 4) and 10 % of a core.", "systemctl is-active k3s-agent", "active; and on {head}: sudo k3s kubectl get node {node} says Ready",
      "\"failed to find memory cgroup\": the step above. \"Node password rejected\": the node was there before under this name: on {head} sudo k3s kubectl -n kube-system delete secret {node}.node-password.k3s. "
      "Certificate errors: the clock. `tutti doctor`: k3s-not-running, k3s-memory.",
      "docs.k3s.io/quick-start, /reference/resource-profiling", "2026-11-21" },
    { "k3s-mac", GUIDE_PHASE_K3S, GUIDE_ON_NODES, GUIDE_MAC | GUIDE_K3S, 0, "A Mac is no node of K3s", "", "K3s needs Linux, and in a virtual machine there Metal is not to be had: run a server on it (llama-server) and name it as an expert by its address.", "", "", "",
      "docs.k3s.io/installation/requirements", "2026-11-21" },
    { "helm", GUIDE_PHASE_K3S, GUIDE_ON_HEAD, GUIDE_K3S, 0, "Helm, for what others package", "curl -fsSL https://raw.githubusercontent.com/helm/helm/main/scripts/get-helm-3 | bash\nmkdir -p ~/.kube && sudo install -m 600 -o \"$USER\" /etc/rancher/k3s/k3s.yaml ~/.kube/config",
      "NVIDIA's plug-in and the monitoring stack are charts.", "helm list -A", "a table, perhaps empty", "Kubernetes cluster unreachable: ~/.kube/config is not yours or is another cluster's.", "helm.sh/docs/intro/install; docs.k3s.io/cluster-access", "2026-11-21" },
    { "nvidia-label", GUIDE_PHASE_K3S, GUIDE_ON_HEAD, GUIDE_K3S | GUIDE_NVIDIA, 0, "Mark the nodes that have a card", "sudo k3s kubectl label --overwrite nodes {nodes} nvidia.com/gpu.present=true tutti.local/gpu=card",
      "NVIDIA's plug-in starts only on nodes that Node Feature Discovery or this label marks.", "sudo k3s kubectl get nodes -l nvidia.com/gpu.present=true -o name", "the nodes that are named in the command", "", "github NVIDIA/k8s-device-plugin, Helm values (affinity)", "2026-11-21" },
    { "jetson-label", GUIDE_PHASE_K3S, GUIDE_ON_HEAD, GUIDE_K3S | GUIDE_JETSON, 0, "Mark the Jetsons", "sudo k3s kubectl label --overwrite nodes {nodes} nvidia.com/gpu.present=true tutti.local/gpu=tegra",
      "NVIDIA's plug-in starts only on nodes that are marked; on a Jetson, whose GPU is on no PCI bus, nothing else marks it for sure.", "sudo k3s kubectl get nodes -l nvidia.com/gpu.present=true -o name", "the Jetsons", "", "github NVIDIA/k8s-device-plugin, Helm values (affinity)", "2026-11-21" },
    { "nvidia-plugin", GUIDE_PHASE_K3S, GUIDE_ON_HEAD, GUIDE_K3S | GUIDE_NVIDIA, 0, "nvidia.com/gpu as a resource",
      "helm repo add nvdp https://nvidia.github.io/k8s-device-plugin && helm repo update\nhelm upgrade -i nvdp nvdp/nvidia-device-plugin --namespace nvidia-device-plugin --create-namespace --set runtimeClassName=nvidia --set nodeSelector.\"tutti\\.local/gpu\"=card",
      "Without the RuntimeClass its pods run in plain runc, see no driver and offer nothing. K3s brings the class along; pods that want the card name it too (tutti's manifests do).",
      "sudo k3s kubectl get nodes -o custom-columns=N:.metadata.name,GPU:.status.allocatable.nvidia\\\\.com/gpu", "1 behind {nodes}", "<none>: is the runtime there (grep nvidia /var/lib/rancher/k3s/agent/etc/containerd/config.toml)? Then the pod's log.",
      "docs.k3s.io/advanced; github NVIDIA/k8s-device-plugin issues 406, 477; seed-errors 000-14", "2026-11-21" },
    { "jetson-plugin", GUIDE_PHASE_K3S, GUIDE_ON_HEAD, GUIDE_K3S | GUIDE_JETSON, 0, "nvidia.com/gpu as a resource, on a Jetson",
      "helm repo add nvdp https://nvidia.github.io/k8s-device-plugin && helm repo update\nhelm upgrade -i nvdp-tegra nvdp/nvidia-device-plugin --namespace nvidia-device-plugin-tegra --create-namespace --set runtimeClassName=nvidia --set "
      "deviceDiscoveryStrategy=tegra --set nodeSelector.\"tutti\\.local/gpu\"=tegra",
      "The container toolkit alone offers nothing. The plug-in must run in the class nvidia, and must look for Tegra: left to itself some versions take NVML, which is not there. It exports no metrics; a Jetson's "
      "GPU load, temperature and power come from tutti's own /metrics.",
      "sudo k3s kubectl get nodes -o custom-columns=N:.metadata.name,GPU:.status.allocatable.nvidia\\\\.com/gpu", "1 behind {nodes}",
      "\"Failed to initialize NVML\": the strategy is not set. <none>: grep nvidia /var/lib/rancher/k3s/agent/etc/containerd/config.toml on the Jetson; nothing there: restart k3s-agent.",
      "github NVIDIA/k8s-device-plugin issues 377, 1470, 1963 (2026-08) and Helm values; seed-errors 000-13, 000-14", "2026-11-21" },
    { "k3s-nodes", GUIDE_PHASE_K3S, GUIDE_ON_HEAD, GUIDE_K3S, 0, "All are there", "sudo k3s kubectl get nodes -o wide", "", "sudo k3s kubectl get nodes --no-headers | grep -cw Ready", "{n_k3s}",
      "NotReady: sudo journalctl -u k3s-agent -n 50 on that node. Another VERSION: install the same one everywhere (INSTALL_K3S_VERSION=).", "docs.k3s.io/quick-start", "2026-11-21" },

    /* ---- tutti ---- */
    { "plan", GUIDE_PHASE_TUTTI, GUIDE_ON_DESK, 0, 0, "What goes where", "tutti cluster plan {file}", "It says which expert lives on which node in which precision, what does not fit and what would help. Memory is never promised twice.",
      "tutti cluster plan {file} > /dev/null; echo $?", "0 (1: something does not fit)", "A figure looks wrong: run `tutti detect --record FILE` on that node and name the recording in the inventory.", "docs/cluster.md", "2026-11-21" },
    { "tutti-install", GUIDE_PHASE_TUTTI, GUIDE_ON_NODES, GUIDE_LINUX, 0, "Install tutti", "sudo apt install -y ./tutti_*_{arch}.deb",
      "One package with the program and its systemd unit, which runs as no user of yours (DynamicUser). `make debs` builds it for amd64 and arm64. With K3s it is there for `tutti doctor` and `tutti detect`; "
      "what serves comes as a container.", "tutti version", "a version, and the instruction sets of this processor",
      "Unmet dependencies: an older system than Debian 12.", "deploy/deb/build.sh, deploy/systemd/tutti.service", "2026-11-21" },
    { "models", GUIDE_PHASE_TUTTI, GUIDE_ON_HEAD, GUIDE_MODEL_FILE | GUIDE_LIST, 0, "Get the models, once", "{models}", "Once per house: the other nodes fetch theirs from this one, checked and resumable.", "ls -l /var/lib/tutti/models", "the files", "It breaks off: the same command goes on where it was (-C -).", "the inventory", "2026-11-21" },
    { "models-urls", GUIDE_PHASE_TUTTI, GUIDE_ON_NODES, GUIDE_MODEL_FILE | GUIDE_K3S | GUIDE_LINUX, 0, "Get the models", "{models}", "Pods mount this folder read-only. All files on all nodes is the simple way; `tutti cluster plan` says which a node needs.", "ls -l /var/lib/tutti/models", "the files", "It breaks off: the same command goes on where it was (-C -).", "the inventory", "2026-11-21" },
    { "models-folder", GUIDE_PHASE_TUTTI, GUIDE_ON_NODES, GUIDE_LINUX, GUIDE_MODEL_FILE, "Put the models there", "sudo mkdir -p /var/lib/tutti/models", "The inventory names no url for them: copy the files that `tutti cluster plan` puts on this node from where you have them. With K3s pods mount the folder read-only; in a list all of them on {head} are enough, the others fetch "
      "theirs from it.", "ls -l /var/lib/tutti/models", "the files", "An expert stays Pending or says that its file is not there: its name in the inventory and in the folder differ.", "docs/cluster.md", "2026-11-21" },
    { "cluster-init", GUIDE_PHASE_TUTTI, GUIDE_ON_HEAD, GUIDE_LIST | GUIDE_MANY, 0, "The house's certificate authority", "sudo mkdir -p /var/lib/tutti && sudo tutti cluster init --name {head} --dir /var/lib/tutti/trust",
      "All traffic between nodes is TLS 1.3 with certificates on both sides. The authority's key stays on {head}: keep a copy of its folder somewhere else, without it no node can join or be revoked.", "sudo tutti cluster trust --dir /var/lib/tutti/trust", "{head}, and when its certificate ends",
      "\"is there already\": it was done before; go on.", "docs/trust.md", "2026-11-21" },
    { "list-manifests", GUIDE_PHASE_TUTTI, GUIDE_ON_DESK, GUIDE_LIST, 0, "A folder for each node", "tutti cluster manifests {file} --out nodes\nfor n in {nodes}; do scp -r nodes/$n $n:; done",
      "What the plan decided, for each node: tutti.yaml with its experts, their memory and the other nodes, the cards, the systemd unit. The same inventory gives the same files.", "ls nodes", "a folder for each node",
      "scp does not find a node: its address instead of $n.", "src/site/manifest_list.c", "2026-11-21" },
    { "list-keys", GUIDE_PHASE_TUTTI, GUIDE_ON_DESK, GUIDE_LIST, 0, "The key of clients", "openssl rand -hex 24 > keys && for n in {nodes}; do scp keys $n:; done && cat keys    # for your programs",
      "The front doors are open to the network (8080), so they want a key; the same one on all.", "wc -c < keys", "49", "", "src/site/manifest_config.c", "2026-11-21" },
    { "list-config", GUIDE_PHASE_TUTTI, GUIDE_ON_NODES, GUIDE_LIST | GUIDE_LINUX, 0, "Its settings",
      "sudo install -d /etc/tutti && sudo install -m 644 {node}/*.yaml /etc/tutti/ && sudo install -m 644 keys /etc/tutti/keys && rm keys\n"
      "sudo install -m 644 {node}/tutti.service /etc/systemd/system/tutti.service && sudo systemctl daemon-reload",
      "8444 is for nodes alone: who has no certificate gets nothing there but the call to join. The service has no user of its own, so its files are readable on the node: give nobody else an account there.",
      "test -s /etc/tutti/tutti.yaml && test -s /etc/tutti/keys && echo there", "there", "`tutti config check /etc/tutti/tutti.yaml` names line and column; before the models are there it says which file is missing.", "docs/nodes.md, src/serve/config.h", "2026-11-21" },
    { "serve-head", GUIDE_PHASE_TUTTI, GUIDE_ON_NODES, GUIDE_LIST | GUIDE_HEAD | GUIDE_LINUX, 0, "Start the first node", "sudo systemctl enable --now tutti", "The others join through it.", "curl -fsS http://127.0.0.1:8080/health", "ok", "sudo journalctl -u tutti -n 50", "deploy/systemd/tutti.service", "2026-11-21" },
    { "token", GUIDE_PHASE_TUTTI, GUIDE_ON_HEAD, GUIDE_LIST | GUIDE_WORKER | GUIDE_LINUX, 0, "A token to join", "sudo tutti cluster token --uses {n_workers} --valid 1h --dir /var/lib/tutti/trust",
      "It is shown once, expires, is good for as many nodes as there are workers ({n_workers}), and is kept hashed. It names the authority, so that who joins knows whom it talks to.", "sudo tutti cluster token --list --dir /var/lib/tutti/trust", "one token; uses left: {n_workers}", "Lost: make another one; --forget takes the first back.", "docs/trust.md", "2026-11-21" },
    { "join", GUIDE_PHASE_TUTTI, GUIDE_ON_NODES, GUIDE_LIST | GUIDE_WORKER | GUIDE_LINUX, 0, "Join",
      "sudo mkdir -p /var/lib/tutti\nsudo tutti node join https://{head_at}:8444 --name {node} --token-file - --dir /var/lib/tutti/trust    # paste the token, Enter, Ctrl-D\nsudo chown -R --reference=/var/lib/tutti/ /var/lib/tutti/trust",
      "The node makes its own key, which never leaves it, and gets a certificate for {node}, which renews itself. Lost in the middle: the same command goes on and costs no second use.", "sudo tutti cluster trust --dir /var/lib/tutti/trust", "{node}, and when its certificate ends",
      "Refused: the token is used up or too old (make another one), or the clock is wrong (the step about time). No answer: port 8444 of {head}.", "docs/trust.md", "2026-11-21" },
    { "fetch", GUIDE_PHASE_TUTTI, GUIDE_ON_NODES, GUIDE_LIST | GUIDE_WORKER | GUIDE_LINUX, 0, "Fetch its models from {head}",
      "sudo mkdir -p /var/lib/tutti/models\nsed -n 's/^ *model: \"\\(.*\\)\"$/\\1/p' /etc/tutti/tutti.yaml | sudo xargs -r -n 1 tutti node fetch --config /etc/tutti/tutti.yaml",
      "Once per house: the files that its tutti.yaml names come from the node that shares them, checked by SHA-256; a cut is gone on with.", "tutti config check /etc/tutti/tutti.yaml", "ok for each expert",
      "\"shares no model file\": it is not in /var/lib/tutti/models of {head}. Files that a card names (card.yaml) are to be copied by hand.", "docs/nodes.md", "2026-11-21" },
    { "serve", GUIDE_PHASE_TUTTI, GUIDE_ON_NODES, GUIDE_LIST | GUIDE_WORKER | GUIDE_LINUX, 0, "Start the other nodes", "sudo systemctl enable --now tutti", "Any node is a front door: ask any of them. There is no master that could be lost.", "curl -fsS http://127.0.0.1:8080/health", "ok", "sudo journalctl -u tutti -n 50; `tutti config check /etc/tutti/tutti.yaml` names line and column.",
      "deploy/systemd/tutti.service", "2026-11-21" },
    { "image", GUIDE_PHASE_TUTTI, GUIDE_ON_DESK, GUIDE_K3S, 0, "The image",
      "podman build --platform {platforms} --target full --manifest {image} -f deploy/Containerfile .\npodman manifest push --all {image}",
      "One manifest list: each node takes what fits its processor. Into a registry that the nodes reach; the digest that the push prints is the image's only certain name.", "podman manifest inspect {image} | grep -c architecture", "one for each architecture",
      "The foreign architecture does not build: sudo apt install qemu-user-static. A registry without TLS: name it in /etc/rancher/k3s/registries.yaml on every node and restart K3s.", "deploy/Containerfile; docs.k3s.io/installation/private-registry", "2026-11-21" },
    { "keys", GUIDE_PHASE_TUTTI, GUIDE_ON_HEAD, GUIDE_K3S, 0, "The keys of clients",
      "sudo k3s kubectl create namespace {namespace} --dry-run=client -o yaml | sudo k3s kubectl apply -f -\nKEY=$(openssl rand -hex 24)\n"
      "sudo k3s kubectl -n {namespace} create secret generic tutti-keys --from-literal=keys=\"$KEY\" --from-literal=metrics=\"$KEY\"\necho \"$KEY\"    # for your programs",
      "The front door is open to the network, so it wants a key. The manifests name this secret and never make it.", "sudo k3s kubectl -n {namespace} get secret tutti-keys -o name", "secret/tutti-keys", "It exists: delete it first, or keep the old key.", "src/site/manifest_net.c", "2026-11-21" },
    { "manifests", GUIDE_PHASE_TUTTI, GUIDE_ON_HEAD, GUIDE_K3S, 0, "The manifests", "tutti cluster manifests {file} --image {image} --out kubernetes\nsudo k3s kubectl apply -k kubernetes",
      "Every number in them comes from the plan. They also start `tutti device-plugin` on each node: accelerators become resources, the Coral under both of its identities. Better than the tag: --image NAME@sha256:..., the digest of the push.",
      "sudo k3s kubectl -n {namespace} get pods -o wide", "tutti-authority running; the others wait for the token of the next step", "Pending: sudo k3s kubectl -n {namespace} describe pod NAME: the last lines name the resource that is missing.", "src/site/manifest.h", "2026-11-21" },
    { "join-secret", GUIDE_PHASE_TUTTI, GUIDE_ON_HEAD, GUIDE_K3S, 0, "The token with which pods join",
      "TOKEN=$(sudo k3s kubectl -n {namespace} exec tutti-authority-0 -- /usr/bin/tutti cluster token --uses 100 --valid 30d | head -1)\nsudo k3s kubectl -n {namespace} create secret generic tutti-join --from-literal=token=\"$TOKEN\"",
      "The authority's key was made in the cluster and stays there. An expert joins once and keeps its certificate on its own volume; a front door joins anew whenever its pod is made anew, so a token must be valid then.", "sudo k3s kubectl -n {namespace} get pods -o wide", "every pod Running and ready, on the node that the plan says",
      "A pod waits for its token: make the secret again (delete it first), with a new one, every 30 days.", "src/site/manifest_pods.c; docs/trust.md", "2026-11-21" },
    { "device-plugin", GUIDE_PHASE_TUTTI, GUIDE_ON_HEAD, GUIDE_K3S | GUIDE_ANY_STICK, 0, "The sticks are resources", "sudo k3s kubectl describe nodes {nodes} | grep -A12 Allocatable", "tutti's device plug-in knows a stick by the place where it is plugged in: it may change its identity, its number and the side of the connector.",
      "sudo k3s kubectl describe nodes {nodes} | grep -E 'google.com/coral|intel.com/ncs2|hailo'", "1 or more behind each", "0: the stick is unplugged or sick: tutti device-plugin --list on that node. `tutti doctor`: k3s-device-plugin.", "docs/device-plugin.md; seed-errors 000-01", "2026-11-21" },

    /* ---- monitoring ---- */
    { "monitor-k3s", GUIDE_PHASE_MONITOR, GUIDE_ON_HEAD, GUIDE_K3S, 0, "Prometheus and Grafana on the head, exporters on all",
      "tutti cluster monitoring {file} --out monitoring\nhelm repo add prometheus-community https://prometheus-community.github.io/helm-charts && helm repo update\n"
      "helm upgrade -i monitoring prometheus-community/kube-prometheus-stack --namespace monitoring --create-namespace -f monitoring/values.yaml && kubectl apply -k monitoring",
      "The values put the stack on {head} alone and a node exporter on every node. It takes 1 to 2 GB there. The chart finds tutti's PodMonitor because the values say so "
      "(podMonitorSelectorNilUsesHelmValues: false).",
      "sudo k3s kubectl -n monitoring get pods -o wide", "everything but the node exporters on {head}", "Grafana shows nothing of tutti: sudo k3s kubectl get podmonitors -A; then Prometheus' page Status, Targets.",
      "github prometheus-community/helm-charts; seed 000, part V", "2026-11-21" },
    { "monitor-exporter", GUIDE_PHASE_MONITOR, GUIDE_ON_NODES, GUIDE_LIST | GUIDE_LINUX, 0, "The node exporter", "sudo apt install -y prometheus-node-exporter", "CPU, memory, disk and network of the machine; what experts and accelerators do is in tutti's own /metrics.", "curl -fsS http://127.0.0.1:9100/metrics | grep -c '^node_'",
      "some hundreds", "", "docs/metrics.md", "2026-11-21" },
    { "monitor-list", GUIDE_PHASE_MONITOR, GUIDE_ON_HEAD, GUIDE_LIST, 0, "Prometheus", "tutti cluster monitoring {file} --out monitoring\nsudo apt install -y prometheus\nsudo install -m 644 monitoring/prometheus.yml monitoring/rules.yaml /etc/prometheus/\nsudo systemctl restart prometheus", "One process on {head} that asks all nodes; Grafana, when you want pictures, beside it.",
      "promtool check config /etc/prometheus/prometheus.yml", "SUCCESS", "A target is down: the firewall (9100, 8080), or tutti listens on 127.0.0.1 alone.", "docs/metrics.md", "2026-11-21" },

    /* ---- check ---- */
    { "doctor", GUIDE_PHASE_CHECK, GUIDE_ON_NODES, GUIDE_LINUX, 0, "Ask the doctor on every node", "tutti doctor", "It looks for what this guide asked for (cgroups, drivers, udev rules, power mode, clock, addresses, runtimes, link) and for what slows inference.", "tutti doctor > /dev/null; echo $?", "0 (1: something is bad)", "Each finding names the command that mends it.", "src/advise/doctor_rules.c", "2026-11-21" },
    { "status", GUIDE_PHASE_CHECK, GUIDE_ON_HEAD, GUIDE_MANY | GUIDE_LIST, 0, "All nodes see each other", "tutti cluster status", "", "tutti cluster status", "every node of the inventory up, with its experts", "A node is down: its own `tutti cluster status` says what it sees.", "docs/cluster.md", "2026-11-21" },
    { "status-k3s", GUIDE_PHASE_CHECK, GUIDE_ON_HEAD, GUIDE_K3S, 0, "Everything runs", "sudo k3s kubectl -n {namespace} get pods -o wide", "", "sudo k3s kubectl -n {namespace} get pods --no-headers | grep -vc Running", "0", "sudo k3s kubectl -n {namespace} describe pod NAME, and logs NAME: the last lines.", "docs.k3s.io/quick-start", "2026-11-21" },
    { "power-cut", GUIDE_PHASE_CHECK, GUIDE_ON_HEAD, GUIDE_MANY | GUIDE_LIST, 0, "Pull a plug", "", "Better today than in the holidays: cut one worker's power, ask something, give it back.", "tutti cluster status", "the node down within seconds, the others answer; up again after its boot", "It does not come back: restore on AC power loss (BIOS), the boot order (Pi), the fixed address.", "", "2026-11-21" },
    { "power-cut-k3s", GUIDE_PHASE_CHECK, GUIDE_ON_HEAD, GUIDE_MANY | GUIDE_K3S, 0, "Pull a plug", "", "Better today than in the holidays: cut one worker's power, ask something, give it back. Kubernetes takes 40 s to call a node NotReady and 5 minutes to move its pods; tutti's front doors leave a silent node out within seconds.", "sudo k3s kubectl get nodes",
      "the node NotReady after 40 s, the others answer; Ready again after its boot", "It does not come back: restore on AC power loss (BIOS), the boot order (Pi), the fixed address.", "kubernetes.io/docs/concepts/architecture/nodes", "2026-11-21" },
};
const int guide_n_steps = sizeof(guide_steps) / sizeof(guide_steps[0]);
