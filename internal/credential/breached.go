package credential

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // the format of the file, not a protection
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/regular"
)

// BreachedFile is a file of SHA-1 hashes of breached passwords, one `HASH:COUNT` per line in the order of the hashes,
// as Have I Been Pwned offers it for download. It is searched where it lies (PW-09).
type BreachedFile struct {
	f    *os.File
	size int64
}

var errBreached = errors.New("not a file of lines HASH:COUNT ordered by SHA-1 hash")

// maxBreachedLine bounds one line.
const maxBreachedLine = 128

// OpenBreached opens a file and looks at its beginning.
func OpenBreached(path string) (*BreachedFile, error) {
	f, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	b := &BreachedFile{f: f, size: info.Size()}
	first, _, err := b.line(0)
	if err == nil {
		_, err = lineHash(first)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, errBreached), f.Close())
	}
	return b, nil
}

// Contains looks a password up.
func (b *BreachedFile) Contains(password string) (bool, error) {
	sum := sha1.Sum([]byte(password)) //nolint:gosec // the format of the file
	want := strings.ToUpper(hex.EncodeToString(sum[:]))
	low, high := int64(0), b.size // lines that begin in [low, high) may be the one
	for low < high {
		mid := low + (high-low)/2
		text, next, err := b.lineAfter(mid, low)
		if err != nil {
			return false, err
		}
		if next < 0 { // no line begins between mid and the end
			high = mid
			continue
		}
		got, err := lineHash(text)
		if err != nil {
			return false, errBreached
		}
		switch {
		case got == want:
			return true, nil
		case got < want:
			low = next
		default:
			high = mid
		}
	}
	return false, nil
}

// lineAfter reads the first line that begins at or after an offset; at low a line is known to begin.
func (b *BreachedFile) lineAfter(at, low int64) (text string, next int64, err error) {
	if at > low {
		_, begin, err := b.line(at - 1)
		if err != nil || begin >= b.size {
			return "", -1, ignoreEOF(err)
		}
		at = begin
	}
	text, next, err = b.line(at)
	if errors.Is(err, io.EOF) {
		return "", -1, nil
	}
	return text, next, err
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// line reads from an offset to the next line break.
func (b *BreachedFile) line(at int64) (text string, next int64, err error) {
	if at >= b.size {
		return "", at, io.EOF
	}
	buf := make([]byte, maxBreachedLine)
	n, err := b.f.ReadAt(buf, at)
	if n == 0 {
		return "", at, err
	}
	i := bytes.IndexByte(buf[:n], '\n')
	if i < 0 {
		if n == maxBreachedLine {
			return "", at, errBreached
		}
		return string(buf[:n]), at + int64(n), nil
	}
	return strings.TrimRight(string(buf[:i]), "\r"), at + int64(i) + 1, nil
}

func lineHash(line string) (string, error) {
	hash, _, _ := strings.Cut(line, ":")
	if raw, err := hex.DecodeString(hash); err != nil || len(raw) != sha1.Size {
		return "", errBreached
	}
	return strings.ToUpper(hash), nil
}

// Close closes the file.
func (b *BreachedFile) Close() error { return b.f.Close() }
