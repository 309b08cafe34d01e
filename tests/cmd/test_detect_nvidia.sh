#!/bin/sh
# tests/cmd/test_detect_nvidia.sh BUILD - NVML and nvidia-smi as detect and doctor find them: by the loader's path and by PATH.
tutti=$1/tutti
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0
ok() { n=$((n + 1)); echo "ok $n - $1"; }
not_ok() { n=$((n + 1)); echo "not ok $n - $1"; sed 's/^/# /' "$tmp/out" "$tmp/err"; }
check() { name=$1; shift; good=true; for c in "$@"; do (cd "$tmp" && eval "$c") || good=false; done; if $good; then ok "$name"; else not_ok "$name"; fi; }
if ! command -v cc >/dev/null 2>&1 || [ -e /dev/nvidiactl ]; then
    echo "# skipped: no C compiler, or a real NVIDIA driver"; echo "ok 1 - all # SKIP"; echo "1..1"; exit 0
fi

mkdir "$tmp/lib" "$tmp/bin"
cat >"$tmp/nvml.c" <<'C'
#include <stdio.h>
#include <string.h>
int nvmlInit_v2(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned *n) { *n = 1; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **d) { *d = &"gpu"[i]; return 0; }
int nvmlSystemGetDriverVersion(char *t, unsigned n) { snprintf(t, n, "470.82.01"); return 0; }
int nvmlDeviceGetName(void *d, char *t, unsigned n) { (void)d; snprintf(t, n, "NVIDIA GeForce RTX 3090"); return 0; }
int nvmlDeviceGetPciInfo_v3(void *d, void *p) { (void)d; memset(p, 0, 68); strcpy((char *)p + 36, "00000000:41:00.0"); return 0; }
int nvmlDeviceGetMemoryInfo(void *d, unsigned long long *m) { (void)d; m[0] = 24ull << 30; m[1] = 23ull << 30; m[2] = 1ull << 30; return 0; }
int nvmlDeviceGetCudaComputeCapability(void *d, int *a, int *b) { (void)d; *a = 8; *b = 6; return 0; }
int nvmlDeviceGetPersistenceMode(void *d, unsigned *on) { (void)d; *on = 0; return 0; }
C
cc -shared -fPIC -o "$tmp/lib/libnvidia-ml.so.1" "$tmp/nvml.c" 2>"$tmp/err" || { echo "# skipped: cc makes no library"; echo "ok 1 - all # SKIP"; echo "1..1"; exit 0; }
LD_LIBRARY_PATH=$tmp/lib "$tutti" detect --json >"$tmp/out" 2>"$tmp/err"
check "detect asks the library that the loader finds" 'grep -q "NVIDIA GeForce RTX 3090" out' 'grep -q 25769803776 out' 'grep -q "470.82.01" out' 'grep -q "0000:41:00.0" out' '[ ! -s err ]'
LD_LIBRARY_PATH=$tmp/lib "$tutti" doctor >"$tmp/out" 2>"$tmp/err"
check "doctor hears of the driver's age and of persistence mode" 'grep -q "^bad  gpu-driver-old" out' 'grep -q "^warning  gpu-persistence" out'

cat >"$tmp/bin/nvidia-smi" <<'S'
#!/bin/sh
case $1 in
--query*) echo "00000000:42:00.0, Tesla T4, 15360, 0, 535.104.05, 90.04.A7.00.01, 70.00, 70.00, 70.00, 9.61, 31, 1, 3, 16, 16, 300, 1590, Enabled, Enabled, 7.5" ;;
*) echo "CUDA Version: 12.2" ;;
esac
S
chmod +x "$tmp/bin/nvidia-smi"
PATH=$tmp/bin:$PATH "$tutti" detect --json >"$tmp/out" 2>"$tmp/err"
check "without the library nvidia-smi on PATH is asked" 'grep -q "Tesla T4" out' 'grep -q 16106127360 out' 'grep -q "\"12.2\"" out'
mkdir -p "$tmp/root/sys/class" "$tmp/root/proc"
LD_LIBRARY_PATH=$tmp/lib PATH=$tmp/bin:$PATH "$tutti" detect --root "$tmp/root" --json >"$tmp/out" 2>"$tmp/err"
check "a recorded machine has no live driver" '! grep -q -E "Tesla|RTX" out'
echo "1..$n"
