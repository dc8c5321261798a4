// Package mlog is our own stand-in for the logging library of the workload identity webhook.
//
// The library's module is not to be had from every module proxy, and a webhook that cannot be built proves nothing. It
// only writes log lines: what the webhook decides about a pod is the published code, untouched. This is the part of the
// library's interface that the webhook calls, over log/slog, and no more: a new release that calls more fails to compile
// here, which is the moment to look again.
package mlog

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/go-logr/logr"
)

// LogLevel is a word of the webhook's --log-level flag.
type LogLevel string

const (
	LevelWarning LogLevel = "" // the flag left out
	LevelInfo    LogLevel = "info"
	LevelDebug   LogLevel = "debug"
	LevelTrace   LogLevel = "trace"
	LevelAll     LogLevel = "all"
)

// LogFormat is how lines are written; this stand-in knows JSON alone, the one the webhook asks for.
type LogFormat string

const FormatJSON LogFormat = "json"

// LogSpec is what the webhook sets once, at its start.
type LogSpec struct {
	Level  LogLevel
	Format LogFormat
}

var (
	threshold slog.LevelVar
	lines     = slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: &threshold}))
	severity  = map[LogLevel]slog.Level{
		LevelWarning: slog.LevelWarn,
		LevelInfo:    slog.LevelInfo,
		LevelDebug:   slog.LevelDebug,
		LevelTrace:   slog.LevelDebug - 4,
		LevelAll:     slog.LevelDebug - 8,
	}
)

// Setup does nothing and gives back a function that does nothing: there is no buffer to flush.
func Setup() func() { return func() {} }

// ValidateAndSetLogLevelAndFormatGlobally refuses a word that is no level.
func ValidateAndSetLogLevelAndFormatGlobally(_ context.Context, spec LogSpec) error {
	level, known := severity[spec.Level]
	if !known {
		return fmt.Errorf("unknown log level %q", spec.Level)
	}
	threshold.Set(level)
	return nil
}

// Enabled says whether lines of a level are written.
func Enabled(level LogLevel) bool { return threshold.Level() <= severity[level] }

// Logr is the same log behind the interface that controller-runtime takes.
func Logr() logr.Logger { return logr.FromSlogHandler(lines.Handler()) }

// Fatal writes the error and ends the process.
func Fatal(err error) {
	lines.Error("fatal", "error", err)
	os.Exit(1)
}

// Logger adds a name and values to every line.
type Logger struct{ lines *slog.Logger }

func New() Logger { return Logger{lines} }

func (l Logger) WithName(name string) Logger { return Logger{l.lines.With("logger", name)} }

func (l Logger) WithValues(pairs ...any) Logger { return Logger{l.lines.With(pairs...)} }

func (l Logger) Info(message string, pairs ...any) { l.lines.Info(message, pairs...) }

func (l Logger) Error(message string, err error, pairs ...any) {
	l.lines.Error(message, append([]any{"error", err}, pairs...)...)
}
