// SPDX-License-Identifier: MIT

package rootfs

import (
	"fmt"
	"os"
	"os/exec"
	"sort"
	"strings"
)

// Sets are the packages of each kind of image; the keys are the runner's suites and what they share.
var Sets = map[string][]string{
	"base": {
		"bash", "coreutils", "dash", "findutils", "gawk|mawk", "grep", "sed", "tar", "gzip", "xz-utils", "zstd",
		"procps", "psmisc|procps", "util-linux", "mount", "kmod", "iproute2", "hostname",
		"libc6", "libc-bin", "python3", "python3.11", "sqlite3",
	},
	"programs": {"redis-server", "nginx-light|nginx", "postgresql", "tmux", "make", "gcc", "libc6-dev"},
	"bench":    {"criu"},
}

// left out: their dependencies pull in much that no guest runs.
var excluded = map[string]bool{
	"debconf": true, "perl": true, "systemd": true, "init-system-helpers": true, "dpkg": true, "adduser": true,
	"ssl-cert": true, "lsb-base": true, "sysvinit-utils": true, "media-types": true, "tzdata": true, "ucf": true,
	"python3-protobuf": true, "libicu72": false,
}

type pkg struct {
	version string
	depends [][]string
	arch    string
}

// Packages is the database of installed Debian packages.
type Packages struct {
	pkgs     map[string]pkg
	provides map[string]string
}

// InstalledPackages reads dpkg's database.
func InstalledPackages() (*Packages, error) {
	out, err := exec.Command("dpkg-query", "-W", "-f",
		"${db:Status-Abbrev}\t${Package}\t${Version}\t${Architecture}\t${Pre-Depends}, ${Depends}\t${Provides}\n").Output()
	if err != nil {
		return nil, fmt.Errorf("asking dpkg for installed packages: %w", err)
	}
	p := &Packages{pkgs: map[string]pkg{}, provides: map[string]string{}}
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(f) < 6 || !strings.HasPrefix(f[0], "ii") {
			continue
		}
		p.pkgs[f[1]] = pkg{version: f[2], arch: f[3], depends: parseDepends(f[4])}
		for _, alt := range parseDepends(f[5]) {
			p.provides[alt[0]] = f[1]
		}
	}
	return p, nil
}

// parseDepends splits "a (>= 1), b | c:any" into [[a] [b c]].
func parseDepends(s string) (deps [][]string) {
	for group := range strings.SplitSeq(s, ",") {
		var alts []string
		for alt := range strings.SplitSeq(group, "|") {
			if f := strings.Fields(alt); len(f) > 0 {
				n, _, _ := strings.Cut(f[0], ":")
				alts = append(alts, n)
			}
		}
		if alts != nil {
			deps = append(deps, alts)
		}
	}
	return deps
}

func (p *Packages) find(alts []string) (string, bool) {
	for _, a := range alts {
		if _, ok := p.pkgs[a]; ok {
			return a, true
		}
	}
	for _, a := range alts {
		if n, ok := p.provides[a]; ok {
			return n, true
		}
	}
	return "", false
}

// Closure returns the named packages ("a|b" takes the first one installed) and all they depend on, sorted.
// Those that are not installed come back in missing.
func (p *Packages) Closure(names ...string) (closure, missing []string) {
	seen := map[string]bool{}
	var visit func(n string)
	visit = func(n string) {
		if seen[n] || excluded[n] {
			return
		}
		seen[n] = true
		for _, alts := range p.pkgs[n].depends {
			if d, ok := p.find(alts); ok {
				visit(d)
			}
		}
	}
	for _, n := range names {
		alts := strings.Split(n, "|")
		if f, ok := p.find(alts); ok {
			visit(f)
		} else {
			missing = append(missing, alts[0])
		}
	}
	for n := range seen {
		closure = append(closure, n)
	}
	sort.Strings(closure)
	return closure, missing
}

// Version returns the installed version of a package.
func (p *Packages) Version(name string) string { return p.pkgs[name].version }

// files lists what a package installed.
func (p *Packages) files(name string) ([]string, error) {
	data, err := os.ReadFile("/var/lib/dpkg/info/" + name + ".list")
	if os.IsNotExist(err) {
		data, err = os.ReadFile("/var/lib/dpkg/info/" + name + ":" + p.pkgs[name].arch + ".list")
	}
	if err != nil {
		return nil, fmt.Errorf("listing the files of package %s: %w", name, err)
	}
	return strings.Fields(string(data)), nil
}
