//go:build !unix

package audit

import (
	"errors"
	"io/fs"
	"os"
)

func openPipe(string, fs.FileInfo) (*os.File, error) {
	return nil, errors.New("it is not a regular file")
}

func lock(*os.File) error { return nil }

func room(string) error { return nil }
