package condition

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// reading is one hand of the clock. CEL's own functions look a zone up on disk each time; ours know the zones of the
// expressions that have been compiled.
type reading struct {
	overloads []string // of CEL, without a zone
	of        func(time.Time) int
}

// clock has CEL's functions of time, counting as CEL does: months, days of the month and of the year from 0.
var clock = map[string]reading{
	overloads.TimeGetFullYear: {[]string{overloads.TimestampToYear}, time.Time.Year},
	overloads.TimeGetMonth: {[]string{overloads.TimestampToMonth},
		func(t time.Time) int { return int(t.Month()) - 1 }},
	overloads.TimeGetDate: {[]string{overloads.TimestampToDayOfMonthOneBased}, time.Time.Day},
	overloads.TimeGetDayOfMonth: {[]string{overloads.TimestampToDayOfMonthZeroBased},
		func(t time.Time) int { return t.Day() - 1 }},
	overloads.TimeGetDayOfWeek: {[]string{overloads.TimestampToDayOfWeek},
		func(t time.Time) int { return int(t.Weekday()) }},
	overloads.TimeGetDayOfYear: {[]string{overloads.TimestampToDayOfYear},
		func(t time.Time) int { return t.YearDay() - 1 }},
	overloads.TimeGetHours:   {[]string{overloads.TimestampToHours, overloads.DurationToHours}, time.Time.Hour},
	overloads.TimeGetMinutes: {[]string{overloads.TimestampToMinutes, overloads.DurationToMinutes}, time.Time.Minute},
	overloads.TimeGetSeconds: {[]string{overloads.TimestampToSeconds, overloads.DurationToSeconds}, time.Time.Second},
}

func (c reading) inZone(at, zone ref.Val) ref.Val {
	t, okT := at.(types.Timestamp)
	name, okZ := zone.(types.String)
	if !okT || !okZ {
		return types.MaybeNoSuchOverloadErr(at)
	}
	location, ok := zones.Load(string(name))
	if !ok {
		return types.NewErr("unknown time zone %q", string(name))
	}
	return types.Int(c.of(t.Time.In(location.(*time.Location))))
}

var zones sync.Map // name -> *time.Location; filled by compiling, so there are as many as operators write

// loadZone loads a time zone: an IANA name, or an offset such as +02:00.
func loadZone(name string) bool {
	if _, known := zones.Load(name); known {
		return true
	}
	location, err := parseZone(name)
	if err == nil {
		zones.Store(name, location)
	}
	return err == nil
}

func parseZone(name string) (*time.Location, error) {
	if name == "" || name == "Local" { // another zone on every machine
		return nil, strconv.ErrSyntax
	}
	hours, minutes, offset := strings.Cut(name, ":")
	if !offset {
		return time.LoadLocation(name)
	}
	if len(hours) != 3 || len(minutes) != 2 || hours[0] != '+' && hours[0] != '-' {
		return nil, strconv.ErrSyntax
	}
	h, errH := strconv.ParseUint(hours[1:], 10, 8)
	m, errM := strconv.ParseUint(minutes, 10, 8)
	if errH != nil || errM != nil || h > 23 || m > 59 {
		return nil, strconv.ErrRange
	}
	seconds := int(h*60+m) * 60
	if hours[0] == '-' {
		seconds = -seconds
	}
	return time.FixedZone(name, seconds), nil
}
