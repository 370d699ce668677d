package gateway

import (
	"path/filepath"

	"github.com/truxeio/caddy-truxe/internal/regular"
)

// maxLoose bounds how many files one start says this of.
const maxLoose = 20

// looseFiles lists the files of users and rules that every account of the machine can change.
func (c Config) looseFiles() []string {
	var list []string
	add := func(path string, folder bool) {
		if w := regular.Writable(path, folder); w != "" && len(list) < maxLoose {
			list = append(list, w)
		}
	}
	if c.UsersFile != "" {
		add(filepath.Dir(c.UsersFile), false)
		add(c.UsersFile, false)
	}
	if c.Policies != "" {
		add(c.Policies, true)
		files, _ := filepath.Glob(filepath.Join(c.Policies, "*.yaml"))
		for _, file := range files {
			add(file, false)
		}
	}
	return list
}
