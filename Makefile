# tutti - one small binary.  `make help` lists what can be made; everything made lies in build/.
#
# No list of files: src/<room>/**/*.c becomes the library, src/main.c the program, every
# tests/<room>/test_*.c a test program, every tests/fuzz/fuzz_*.c a fuzz target.

CC      ?= gcc
ifeq ($(origin CC),default)
CC      := gcc
endif
BUILD   ?= build
OPT     ?= -O2
SAN     ?=
CROSS   ?=
VERSION := 0.1.0

# Named constants are enums here, and floats meet them: clang need not say so (gcc does not know the flag).
# -Wconversion finds the narrowing that turns a length from outside into a small number.  Kernels
# and tests narrow on purpose all the time, so there it is off.
WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wpointer-arith -Wundef -Werror
# Checks that a sanitizer adds hide value ranges from gcc: what it then says about lengths is false; the plain build has these on.
WARN_SAN := $(if $(findstring clang,$(CC)),,-Wno-maybe-uninitialized -Wno-format-overflow -Wno-format-truncation)
WARN_SRC := -Wconversion -Wno-sign-conversion -Wno-enum-float-conversion
# -ffp-contract=off: ref.c means what it says, on every machine; kernels write their FMAs themselves.
CFLAGS_ALL = -std=c11 -D_POSIX_C_SOURCE=200809L -DTUTTI_VERSION='"$(VERSION)"' -DTUTTI_STORE=$(if $(filter 0,$(STORE)),0,1) $(OPT) -g -fno-math-errno -ffp-contract=off \
             -fno-strict-aliasing -pthread -Isrc -I$(BUILD)/gen $(WARN) $(CFLAGS)
SAN_FLAGS = $(if $(SAN),$(WARN_SAN) -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
# STORE=0 builds without SQLite: `tutti bench` then keeps no results.  Give it a BUILD of its own.
STORE   ?= 1
PKGS    := libuv libnghttp2 libssl libcrypto libprotobuf-c jansson libfyaml libutf8proc $(if $(filter 0,$(STORE)),,sqlite3)
ifeq ($(CROSS),)
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null)
else
PKG_CFLAGS := -isystem $(SYSROOT)/usr/include -isystem $(SYSROOT)/usr/include/aarch64-linux-gnu
PKG_LIBS   := -L$(SYSROOT)/usr/lib/aarch64-linux-gnu -Wl,-rpath-link=$(SYSROOT)/usr/lib/aarch64-linux-gnu -luv -lnghttp2 -lssl -lcrypto -lprotobuf-c -ljansson -lfyaml -lutf8proc $(if $(filter 0,$(STORE)),,-lsqlite3)
endif
LIBS    = $(PKG_LIBS) -lm -ldl -pthread $(if $(SAN),-fsanitize=$(SAN))

SRC   := $(shell find src -mindepth 2 -name '*.c' | LC_ALL=C sort)
TESTS := $(shell find tests -mindepth 2 -name 'test_*.c' | LC_ALL=C sort)
TEST_BIN := $(TESTS:%.c=$(BUILD)/%)
FUZZ  := $(wildcard tests/fuzz/fuzz_*.c)
REPLAY_BIN := $(FUZZ:tests/fuzz/fuzz_%.c=$(BUILD)/tests/fuzz/replay_%)
TOOLS := $(wildcard tools/*/main.c)
TOOL_BIN := $(TOOLS:tools/%/main.c=$(BUILD)/tools/%)

# The file's name says what it may use; src/kernels/*/<isa>.c are called only when hw/cpu.c says so.
ISA_avx2     := -mavx2 -mfma -mf16c -mbmi2
ISA_avxvnni  := $(ISA_avx2) -mavxvnni
ISA_avx512   := $(ISA_avx2) -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni -mprfchw -mprefer-vector-width=512
ISA_avx512bf16 := $(ISA_avx512) -mavx512bf16
ISA_amx      := $(ISA_avx512) -mavx512bf16 -mamx-tile -mamx-int8 -mamx-bf16
ISA_neon     :=
ISA_dotprod  := -march=armv8.2-a+dotprod
ISA_i8mm     := -march=armv8.2-a+dotprod+i8mm+bf16
ISA_X86 := avx2 avxvnni avx512 avx512bf16 amx
ISA_ARM := neon dotprod i8mm
# avx512.c, avx512_packed.c: what stands before the first _ names the set
isa = $(firstword $(subst _, ,$(notdir $(basename $(1)))))

# files of the other architecture stay at home
ARCH := $(if $(CROSS),aarch64,$(shell uname -m))
FOREIGN := $(if $(filter x86_64,$(ARCH)),$(ISA_ARM),$(if $(filter aarch64,$(ARCH)),$(ISA_X86),$(ISA_ARM) $(ISA_X86)))
SRC  := $(foreach f,$(SRC),$(if $(filter src/kernels/%,$(f)),$(if $(filter $(call isa,$(f)),$(FOREIGN)),,$(f)),$(f)))
PROTO := $(wildcard proto/*.proto)
OBJ  := $(SRC:%.c=$(BUILD)/%.o) $(BUILD)/gen/catalog_data.o $(PROTO:proto/%.proto=$(BUILD)/gen/gen/%.pb-c.o)
DATA := $(filter-out data/ids.csv,$(sort $(wildcard data/*.csv))) # ids.csv belongs to hw/

.PHONY: all help deps check check-fast unit floors headers asan tsan fuzz bench scale cross map install clean tools tests

all: $(BUILD)/tutti ## build the program: build/tutti

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | awk -F'\t' '{printf "  make %-12s %s\n", $$1, $$2}'

deps: ## install the Debian packages that are missing
	@tools/deps.sh

$(BUILD)/tutti: $(BUILD)/src/main.o $(BUILD)/libtutti.a
	@echo "  LD $@"; $(CC) -o $@ $(BUILD)/src/main.o $(BUILD)/libtutti.a $(LDFLAGS) $(LIBS)

$(BUILD)/libtutti.a: $(OBJ)
	@rm -f $@
	@$(AR_CMD) rcs $@ $(OBJ)
AR_CMD := $(if $(CROSS),$(CROSS)-ar,ar)

# Files of one instruction set are long straight lines of intrinsics: sanitizers make their compilation take
# minutes and find nothing there that the guarded margins of tests/kernels do not; ref.c and the rest have them.
$(BUILD)/src/kernels/%.o: src/kernels/%.c
	@mkdir -p $(@D)
	@echo "  CC $<"; $(CC) $(CFLAGS_ALL) $(or $(OPT_KERNELS),$(if $(SAN),-O1,-O3)) $(if $(ISA_$(call isa,$<)),,$(SAN_FLAGS)) $(ISA_$(call isa,$<)) $(PKG_CFLAGS) -MMD -MP -c -o $@ $<
# Inner loops over pixels that the compiler turns into SIMD: any machine's baseline (SSE2, NEON) is enough there.
$(BUILD)/src/media/resize.o $(BUILD)/src/media/motion.o: OPT := -O3
# The router decides in microseconds.
$(BUILD)/src/route/features.o $(BUILD)/src/route/grams.o $(BUILD)/src/route/intent.o $(BUILD)/src/route/language.o $(BUILD)/src/route/policy.o $(BUILD)/src/route/predict.o $(BUILD)/src/route/rules.o $(BUILD)/src/route/quality.o $(BUILD)/src/route/journal_row.o: OPT := -O3
$(BUILD)/src/route/train.o $(BUILD)/src/route/train_hard.o: OPT := -O3
# The catalog's tables as C strings, one for each line; "?" is escaped because of trigraphs.
$(BUILD)/gen/catalog_data.c: $(DATA) tools/embed.awk Makefile
	@mkdir -p $(@D)
	@echo "  GEN $@"; LC_ALL=C awk -f tools/embed.awk $(DATA) >$@.new && mv $@.new $@
$(BUILD)/gen/%.o: $(BUILD)/gen/%.c
	@echo "  CC $<"; $(CC) $(CFLAGS_ALL) $(SAN_FLAGS) $(WARN_SRC) $(PKG_CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/src/%.o: src/%.c
	@mkdir -p $(@D)
	@echo "  CC $<"; $(CC) $(CFLAGS_ALL) $(SAN_FLAGS) $(WARN_SRC) $(PKG_CFLAGS) -MMD -MP -c -o $@ $<
# Messages of other programs' protocols, as C structs; wire/ reads them.  The code is protoc-c's: its warnings are not ours.
$(BUILD)/gen/gen/%.pb-c.c $(BUILD)/gen/gen/%.pb-c.h: proto/%.proto
	@mkdir -p $(@D)
	@echo "  GEN $(BUILD)/gen/gen/$*.pb-c.c"; protoc-c -Iproto --c_out=$(BUILD)/gen/gen $<
$(BUILD)/gen/gen/%.pb-c.o: $(BUILD)/gen/gen/%.pb-c.c
	@echo "  CC $<"; $(CC) $(CFLAGS_ALL) $(SAN_FLAGS) -w $(PKG_CFLAGS) -MMD -MP -c -o $@ $<
$(patsubst %.c,$(BUILD)/%.o,$(wildcard src/wire/*_pb.c)): $(PROTO:proto/%.proto=$(BUILD)/gen/gen/%.pb-c.h)
# tables that are made from data/*.csv
$(BUILD)/gen/gen/ids.inc: data/ids.csv tools/gen-ids.sh
	@mkdir -p $(@D)
	@echo "  GEN $@"; tools/gen-ids.sh $< >$@.tmp && mv $@.tmp $@
$(BUILD)/src/hw/ids.o: $(BUILD)/gen/gen/ids.inc
# files that lie in the program as they are (.incbin)
$(BUILD)/src/route/intent.o: data/route/intent.bin
$(BUILD)/src/route/language.o: data/route/language.tsv
$(BUILD)/src/route/fleet.o: examples/fleets/fifty.yaml
$(BUILD)/src/site/draw_html.o: src/site/topology.js src/site/topology.css
$(BUILD)/src/site/manifest_list.o: deploy/systemd/tutti.service
$(BUILD)/tests/%.o: tests/%.c | $(PROTO:proto/%.proto=$(BUILD)/gen/gen/%.pb-c.h)
	@mkdir -p $(@D)
	@echo "  CC $<"; $(CC) $(CFLAGS_ALL) $(SAN_FLAGS) -Itests $(PKG_CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/tests/%: $(BUILD)/tests/%.o $(BUILD)/tests/test.o $(BUILD)/libtutti.a
	@echo "  LD $@"; $(CC) -o $@ $< $(BUILD)/tests/test.o $(BUILD)/libtutti.a $(LDFLAGS) $(LIBS) $(TEST_LIBS_$(notdir $*))
TEST_LIBS_test_pretok := -lpcre2-8
TEST_LIBS_test_h1_parse := -lhttp_parser
TEST_LIBS_test_gpu_nvml := -rdynamic # it plays libnvidia-ml
TEST_LIBS_test_nvidia := -rdynamic # the same
TEST_LIBS_test_edgetpu := -rdynamic # it plays TensorFlow Lite and libedgetpu
# The kernels of AMX as they are, on tiles in plain C: tests run them on any machine with AVX-512.
EMULATED_AMX := $(if $(filter x86_64,$(ARCH)),$(BUILD)/tests/kernels/emulated_amx.o $(BUILD)/tests/kernels/emulated_amx_rows.o)
$(BUILD)/tests/kernels/emulated_%.o: src/kernels/matmul/%.c tests/kernels/amx_model.h
	@mkdir -p $(@D)
	@echo "  CC $< (emulated)"; $(CC) $(CFLAGS_ALL) -O2 $(ISA_avx512bf16) -include tests/kernels/amx_model.h $(foreach n,amx amx_BF16 amx_rows_scratch_bytes,-Dmatmul_$(n)=emulated_$(n)) -MMD -MP -c -o $@ $<
$(BUILD)/tests/kernels/test_matmul $(BUILD)/tests/llm/test_golden: $(EMULATED_AMX)
TEST_LIBS_test_matmul := $(EMULATED_AMX)
TEST_LIBS_test_golden := $(EMULATED_AMX)
# Tests that make the nth allocation fail (tests/fail_alloc.h) see these calls first; libc's own calls are not seen.
comma := ,
WRAP_ALLOC := $(addprefix -Wl$(comma)--wrap=,malloc calloc realloc free aligned_alloc posix_memalign mmap munmap)
$(BUILD)/tests/%_nomem: $(BUILD)/tests/%_nomem.o $(BUILD)/tests/test.o $(BUILD)/tests/fail_alloc.o $(BUILD)/libtutti.a
	@echo "  LD $@"; $(CC) $(WRAP_ALLOC) -o $@ $< $(BUILD)/tests/test.o $(BUILD)/tests/fail_alloc.o $(BUILD)/libtutti.a $(LDFLAGS) $(LIBS)
# Each fuzz target as a plain program that feeds it the committed corpus (tests/fuzz/test_replay.sh).
$(BUILD)/tests/fuzz/replay_%: $(BUILD)/tests/fuzz/fuzz_%.o $(BUILD)/tests/fuzz/replay.o $(BUILD)/libtutti.a
	@echo "  LD $@"; $(CC) -o $@ $< $(BUILD)/tests/fuzz/replay.o $(BUILD)/libtutti.a $(LDFLAGS) $(LIBS)
$(BUILD)/tools/%: tools/%/main.c $(wildcard tools/*/*.[ch]) $(BUILD)/libtutti.a Makefile
	@mkdir -p $(@D)
	@echo "  LD $@"; $(CC) $(CFLAGS_ALL) $(SAN_FLAGS) -O3 -MMD -MP -MF $(BUILD)/tools/$*.d -o $@ $(wildcard tools/$*/*.c) $(BUILD)/libtutti.a $(LDFLAGS) $(LIBS)

tools: $(TOOL_BIN) ## build the tools: gen-model, train, ...
tests: $(TEST_BIN) $(REPLAY_BIN)

unit: $(BUILD)/tutti $(TEST_BIN) $(REPLAY_BIN) $(TOOL_BIN) ## build and run the unit tests
	@TEST_SAN=$(SAN) tools/run-tests.sh $(BUILD)

floors:
	@tools/check-floors.sh
headers: ## each header compiles alone
	@tools/check-headers.sh "$(CC)" $(CFLAGS_ALL) $(PKG_CFLAGS)

check: ## everything that must pass before a commit lands (./check installs what it needs first)
	@tools/check-all.sh

asan: ## unit tests under the address and undefined-behaviour sanitizers
	+@TEST_QUICK=1 $(MAKE) --no-print-directory BUILD=build/asan OPT=-O1 SAN=address,undefined unit
tsan: ## tests of what has threads, under the thread sanitizer
	+@TSAN_OPTIONS=suppressions=$(CURDIR)/tests/tsan.supp $(MAKE) --no-print-directory BUILD=build/tsan OPT=-O1 SAN=thread unit-threads
# who has threads of their own, or calls those who do (what happens when memory is short: asan)
THREAD_TESTS := base/test_(pool|thread)|api/test_mailbox|cluster/test_(fetch|members|peer|trust)$$|cluster/test_peer.sh|expert/test_(expert|server)_|llm/test_llm_ctx|net/test_http$$|pipeline/test_(cascade_run|fanout|sinks|voice)$$|quant/test_quantize|route/test_(router|steward|journal)|serve/test_(serve|media)$$|serve/test_(serve|http2).sh
THREAD_BIN := $(shell printf '%s\n' $(TEST_BIN) | grep -E '$(THREAD_TESTS)' | grep -v _nomem)
build-threads: $(BUILD)/tutti $(THREAD_BIN) $(BUILD)/tools/fake-engine
unit-threads: build-threads
	@TEST_QUICK=1 TEST_ONLY='$(THREAD_TESTS)' TEST_SAN=$(SAN) tools/run-tests.sh $(BUILD)
.PHONY: build-threads unit-threads
fuzz: ## fuzz every parser for FUZZ_SECONDS (60) each; needs clang
	@tools/fuzz.sh
fit-speed: $(BUILD)/tools/fit-speed ## fit the speed estimates on ../shared/reference/measured.tsv (minutes)
	$(BUILD)/tools/fit-speed $${TUTTI_SHARED:-../shared}/reference/measured.tsv .
.PHONY: fit-speed
ROUTE_DATA = $${TUTTI_SHARED:-../shared}/corpus/router/train.jsonl $${TUTTI_SHARED:-../shared}/corpus/difficulty/mmlu.jsonl
route-model: $(BUILD)/tutti ## train the router's intent model again: docs/route-data.md (minutes)
	$(BUILD)/tutti route train $(ROUTE_DATA) $(filter-out data/route/language.tsv,$(sort $(wildcard data/route/*.tsv))) --calibrate lead --calibrate writer --calibrate broad \
	    $(patsubst data/route/%.tsv,--calibrate %,$(sort $(wildcard data/route/natural*.tsv))) --out data/route/intent.bin
.PHONY: route-model
.PHONY: print-libs
print-libs: # for tools/fuzz.sh
	@echo $(LIBS)
scale: $(BUILD)/tutti tools ## one front door with 1,000 nodes on loopback: figures of docs/scale.md (a minute)
	@SCALE_NODES=$${SCALE_NODES:-1000} tests/cluster/test_scale.sh $(BUILD)
bench: $(BUILD)/tutti ## measure this machine and the engine
	$(BUILD)/tutti bench
bench-protocols: $(BUILD)/bench-protocols ## JSON, protobuf and raw tensors over HTTP/1.1 and HTTP/2: prints data/protocol.csv
	@$(BUILD)/bench-protocols
$(BUILD)/bench-protocols: bench/protocols/main.c $(BUILD)/libtutti.a Makefile
	@echo "  LD $@"; $(CC) $(CFLAGS_ALL) $(SAN_FLAGS) -MMD -MP -MF $(BUILD)/bench-protocols.d -o $@ $< $(BUILD)/libtutti.a $(LDFLAGS) $(LIBS)
.PHONY: bench-protocols
homelab: $(BUILD)/tutti ## examples/homelab and examples/three-pis again, after a change of an inventory, of placement, guide, manifests, pictures ...
	@tools/examples.sh $(BUILD)/tutti examples
	@cp examples/homelab/topology.svg docs/img/homelab.svg
.PHONY: homelab
cross: ## build for aarch64 and run its tests under qemu
	@tools/cross.sh
aarch64-count: ## instructions and cycles of the aarch64 kernels, counted in an emulator (minutes)
	@tools/aarch64-count.sh
.PHONY: aarch64-count

PREFIX ?= /usr/local
map: ## the index of all files
	@tools/map.sh
install: $(BUILD)/tutti ## install to PREFIX (/usr/local), DESTDIR respected
	install -d "$(DESTDIR)$(PREFIX)/bin" "$(DESTDIR)$(PREFIX)/share/tutti/models"
	install -s -m 755 $(BUILD)/tutti "$(DESTDIR)$(PREFIX)/bin/tutti"
	install -m 644 models/*.gguf "$(DESTDIR)$(PREFIX)/share/tutti/models/"

# One file without libraries, for containers of a few MB: what is loaded at run time (ONNX Runtime, OCR, speech, media) is not for it.
# Our own symbols are made local first: libjansson.a has a utf8_encode, too.
STATIC_LIBS = -l:libuv_a.a -lnghttp2 -lssl -lcrypto -lprotobuf-c -ljansson -lfyaml -lutf8proc $(if $(filter 0,$(STORE)),,-lsqlite3) -lm -ldl -pthread
static: $(BUILD)/tutti-static ## build/tutti-static: the program without shared libraries
$(BUILD)/tutti-static: $(BUILD)/src/main.o $(BUILD)/libtutti.a
	@echo "  LD $@"; $(if $(CROSS),$(CROSS)-,)ld -r -o $@.o $^ && $(if $(CROSS),$(CROSS)-,)objcopy --keep-global-symbol=main $@.o && \
	$(CC) -static -s -o $@ $@.o $(LDFLAGS) $(if $(CROSS),-L$(SYSROOT)/usr/lib/aarch64-linux-gnu) $(STATIC_LIBS) 2>$@.log || { cat $@.log; exit 1; }
	@rm -f $@.o
# without LDFLAGS: a cross build looks for its libraries where they were unpacked
$(BUILD)/deb/tutti: $(BUILD)/src/main.o $(BUILD)/libtutti.a
	@mkdir -p $(@D)
	@echo "  LD $@"; $(CC) -o $@ $^ $(LIBS)
deb: $(BUILD)/deb/tutti ## build/tutti_VERSION_ARCH.deb
	@deploy/deb/build.sh $(BUILD) $(VERSION) $(if $(CROSS),arm64,$(shell dpkg --print-architecture))
debs: deb ## the same, and build/aarch64/tutti_VERSION_arm64.deb
	@tools/cross.sh deb
rootfs: static ## build/rootfs-static: the root file system of the small container image, without a container engine
	@deploy/build-rootfs.sh static $(BUILD) $(BUILD)/rootfs-static
.PHONY: static deb debs rootfs

clean: ## remove build/
	rm -rf build

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
.SECONDARY:
