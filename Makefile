# SPDX-License-Identifier: MIT

# Where Go and Debian's tools for root may be without being in PATH.
export PATH := $(PATH):/usr/local/go/bin:/usr/sbin:/sbin
# Lets a Go that is older than go.mod asks for fetch one that is not.
export GOTOOLCHAIN ?= auto
export CGO_ENABLED := 0

VERSION := $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' kmod/dkms.conf)
PREFIX  ?= /usr/local
# The kernel of test, fuzz, soak and faults: stock, 6.12 or debug.
KERNEL  ?= stock
# RUN=REGEX chooses tests, ARGS= goes to kselftest/runner as it is.
RUNNER   = $(if $(RUN),-run '$(RUN)') $(ARGS)

# The kernel that the module is built for: KDIR=, or that of KVER=, or the
# running one, or (no headers are there) the stock kernel of the tests.
ifdef KDIR
kdir = $(KDIR)
else ifdef KVER
kdir = $(firstword $(wildcard /lib/modules/$(KVER)/build /usr/src/linux-headers-$(KVER)) /lib/modules/$(KVER)/build)
else
kdir = $(or $(wildcard /lib/modules/$(shell uname -r)/build),$(shell scripts/kernel.sh stock)/build)
endif

all: bin/crctl kmod/ckpt.ko ## Build bin/crctl and kmod/ckpt.ko (KVER= or KDIR= choose the kernel)

bin/crctl: FORCE
	@scripts/deps.sh -n build
	go build -trimpath -buildvcs=false -o $@ ./cmd/crctl

kmod/ckpt.ko: FORCE
	@scripts/deps.sh -n build
	@ko=$$(scripts/kmod.sh "$(kdir)") && cp "$$ko" $@ && echo "$@ is for $$(modinfo -F vermagic $@)"

demo: ## Save and restore programs in a guest, and show it (installs what it lacks)
	@scripts/deps.sh test
	@$(MAKE) -s bin/crctl
	@scripts/suite.sh $(KERNEL) demo $(RUNNER)

test: ## Run all tests, those of the kernel in a guest (KERNEL=stock|6.12|debug, RUN=REGEX)
	@scripts/deps.sh test $(if $(filter debug,$(KERNEL)),debug)
	@$(MAKE) -s bin/crctl
	@rc=0; scripts/gotest.sh || rc=1; scripts/suite.sh $(KERNEL) test $(RUNNER) || rc=1; exit $$rc

test-debug: ## Run the guest's tests on a kernel with KASAN, lockdep and kmemleak (built once)
	@scripts/deps.sh test debug
	@$(MAKE) -s bin/crctl
	@scripts/suite.sh debug test $(RUNNER)

bench: ## Compare with criu in one guest (BENCH=quick|full, RUN=REGEX)
	@scripts/deps.sh bench
	@$(MAKE) -s bin/crctl
	@scripts/suite.sh $(KERNEL) bench $(RUNNER)

fuzz: ## Restart damaged images in a guest
soak: ## Checkpoint and restart for hours in a guest
faults: KERNEL := debug
faults: ## Let each allocation of a checkpoint and a restart fail once (debug kernel)
fuzz soak faults:
	@scripts/deps.sh test $(if $(filter debug,$(KERNEL)),debug)
	@$(MAKE) -s bin/crctl
	@scripts/suite.sh $(KERNEL) $@ $(RUNNER)

lint: ## Check style, types and licences of all sources
	@scripts/deps.sh lint
	@scripts/lint.sh

install: bin/crctl ## Install program, manual and module (PREFIX=, DESTDIR=; the module by dkms if it is there)
	install -D -m 755 bin/crctl $(DESTDIR)$(PREFIX)/bin/crctl
	@for f in $(wildcard Documentation/man/*.[1-9]); do \
		install -D -v -m 644 $$f $(DESTDIR)$(PREFIX)/share/man/man$${f##*.}/$${f##*/}; done
	@KVER="$(KVER)" KDIR="$(kdir)" DESTDIR="$(DESTDIR)" VERSION="$(VERSION)" scripts/install-module.sh

clean: ## Remove all that was built (kernels in the cache stay)
	rm -rf bin out kselftest/out
	find kmod \( -name '*.o' -o -name '*.ko' -o -name '*.mod' -o -name '*.mod.c' -o -name '.*.cmd' \
		-o -name modules.order -o -name Module.symvers \) -delete

help: ## Show this
	@echo "make [TARGET] [VARIABLE=...]"
	@awk -F ' *:.*## ' '/^[a-z-]+:.*## / { printf "  %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

FORCE:
.PHONY: all demo test test-debug bench fuzz soak faults lint install clean help FORCE
