package audit

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/truxeio/caddy-truxe/internal/store"
)

// resume finds the last whole line of a regular file, compares it with its row and completes a line that a crash or a
// full disk tore: what is missing of it is in the database.
func (f *follower) resume(ctx context.Context, file *os.File) error {
	f.rest = nil
	tail, whole, err := readTail(file)
	if err != nil {
		return err
	}
	at := bytes.LastIndexByte(tail, '\n')
	torn := tail[at+1:]
	if at < 0 {
		return f.resumeFirst(ctx, torn)
	}
	tail = tail[:at]
	if at = bytes.LastIndexByte(tail, '\n'); at >= 0 {
		tail, whole = tail[at+1:], true
	}
	if err := f.match(ctx, tail, whole); err != nil {
		return err
	}
	if len(torn) == 0 {
		return nil
	}
	next, err := f.store.ListAudit(ctx, store.AuditFilter{After: f.last, Ascending: true, Limit: 1})
	if err != nil {
		return err
	}
	if len(next) == 1 && len(torn) <= len(next[0].Line) && bytes.HasPrefix(next[0].Line, torn) {
		f.rest = append(bytes.Clone(next[0].Line[len(torn):]), '\n')
		return nil
	}
	// another program wrote this: it ends here, and verification names it
	if _, err := file.Write([]byte{'\n'}); err != nil {
		return bare(err)
	}
	return nil
}

// resumeFirst begins an empty file, or completes the first line of one.
func (f *follower) resumeFirst(ctx context.Context, torn []byte) error {
	if len(torn) == 0 {
		if f.last >= 0 {
			return nil
		}
		return f.startAtEnd(ctx)
	}
	rows, err := f.store.ListAudit(ctx, store.AuditFilter{Limit: page})
	if err != nil {
		return err
	}
	for _, r := range rows {
		if len(torn) <= len(r.Line) && bytes.HasPrefix(r.Line, torn) {
			f.last, f.rest = r.Seq-1, append(bytes.Clone(r.Line[len(torn):]), '\n')
			return nil
		}
	}
	return fmt.Errorf("it contains something other than our events: %w", errForeign)
}

// match sets the position to the last line, which must be the database's own.
func (f *follower) match(ctx context.Context, raw []byte, whole bool) error {
	l, stated, err := read(raw)
	if err != nil || !whole {
		return fmt.Errorf("its last line is not one of our events: %w", errForeign)
	}
	rows, err := f.store.ListAudit(ctx, store.AuditFilter{After: l.Seq - 1, Before: l.Seq + 1})
	if err != nil {
		return err
	}
	if len(rows) != 1 || rows[0].Hash != stated {
		return fmt.Errorf("its last event, %d, is not that of the database: %w", l.Seq, errForeign)
	}
	f.last = l.Seq
	return nil
}

// readTail reads the end of a file, enough for a torn line and the one before it; whole says that this is all of it.
func readTail(file *os.File) (tail []byte, whole bool, err error) {
	info, err := file.Stat()
	if err != nil {
		return nil, false, bare(err)
	}
	from := max(0, info.Size()-2*maxLine)
	tail, err = io.ReadAll(io.NewSectionReader(file, from, 2*maxLine))
	return tail, from == 0, err
}
