package audit

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/truxeio/caddy-truxe/internal/store"
)

// Report is what a verification found.
type Report struct {
	Lines    int      `json:"lines"`
	FirstSeq int64    `json:"first_seq"`
	LastSeq  int64    `json:"last_seq"`
	Problems []string `json:"problems"` // in order, maxProblems at most; empty for an intact chain
}

const maxProblems = 100

// checker follows the chain. After a problem it goes on from what the line says, so that one change is one problem.
type checker struct {
	report Report
	prev   [32]byte
}

func newChecker() *checker { return &checker{report: Report{Problems: []string{}}} }

func (c *checker) problem(format string, args ...any) {
	if len(c.report.Problems) < maxProblems {
		c.report.Problems = append(c.report.Problems, fmt.Sprintf(format, args...))
	}
}

// line checks the next line and gives what it says.
func (c *checker) line(raw []byte) (line, [32]byte) {
	l, stated, err := read(raw)
	c.report.Lines++
	if errors.Is(err, errNotLine) {
		c.problem("line %d, after event %d: %v", c.report.Lines, c.report.LastSeq, err)
		return line{}, stated
	}
	first := c.report.FirstSeq == 0
	next := c.report.LastSeq + 1
	switch {
	case err != nil:
		c.problem("event %d: %v", l.Seq, err)
	case first && l.Seq == 1 && l.PrevHash != hex.EncodeToString(c.prev[:]):
		c.problem("event 1: it follows an event that is missing")
	case first:
	case l.Seq > next:
		c.problem("events %d to %d are missing", next, l.Seq-1)
	case l.Seq < next:
		c.problem("event %d is repeated or out of order", l.Seq)
	case l.PrevHash != hex.EncodeToString(c.prev[:]):
		c.problem("event %d: it does not follow the event before it", l.Seq)
	}
	if first {
		c.report.FirstSeq = l.Seq
	}
	if first || l.Seq >= next {
		c.report.LastSeq, c.prev = l.Seq, stated
	}
	return l, stated
}

// VerifyFile checks a copy of the log. It may begin at any event, as a rotated file does. That lines were cut off at
// its end shows only against the database.
func VerifyFile(r io.Reader) (Report, error) {
	c := newChecker()
	in := bufio.NewReaderSize(r, maxLine+2)
	for {
		raw, err := in.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			c.report.Lines++
			c.problem("line %d, after event %d: it is longer than any line of an audit log", c.report.Lines, c.report.LastSeq)
			if err = skipLine(in); err != nil {
				return c.report, ended(err)
			}
		case err == nil:
			c.line(raw[:len(raw)-1])
		case errors.Is(err, io.EOF) && len(raw) > 0:
			c.report.Lines++
			c.problem("line %d, after event %d: it is torn; the gateway completes it when it starts", c.report.Lines,
				c.report.LastSeq)
			return c.report, nil
		default:
			return c.report, ended(err)
		}
	}
}

func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func skipLine(in *bufio.Reader) error {
	for {
		_, err := in.ReadSlice('\n')
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// VerifyStore checks the log in the database: the chain from event 1 to its recorded head, and each row's columns
// against its line.
func VerifyStore(ctx context.Context, st *store.Store) (Report, error) {
	c := newChecker()
	seq, hash, err := st.AuditHead(ctx) // before the rows: more may be added meanwhile
	if err != nil {
		return c.report, err
	}
	err = st.WalkAudit(ctx, 1, func(r store.AuditRow) error {
		l, stated := c.line(r.Line)
		if l.Seq == 0 {
			return nil // said already
		}
		if l.Seq != r.Seq || stated != r.Hash || l.Time != r.Time.UTC().Format(timeFormat) || l.Event != r.Event ||
			l.Outcome != r.Outcome ||
			l.Actor.ID != r.ActorID || l.Subject.ID != r.SubjectID || l.IP != r.IP || l.Reference != r.Reference {
			c.problem("event %d: the columns of its row were changed, they are not those of its line", r.Seq)
		}
		if r.Seq == seq && stated != hash {
			c.problem("event %d: it is not the one that the head of the chain names", r.Seq)
		}
		return nil
	})
	if err != nil {
		return c.report, err
	}
	if c.report.FirstSeq > 1 {
		c.problem("events 1 to %d are missing", c.report.FirstSeq-1)
	}
	if c.report.LastSeq < seq {
		c.problem("events %d to %d are missing at the end", c.report.LastSeq+1, seq)
	}
	return c.report, nil
}
