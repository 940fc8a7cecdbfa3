package restapi

import (
	"log/slog"
	"syscall"

	"tote/fs"
)

// failureLevel is how much a failure matters to whoever runs the server. What a client asked for and cannot have is none of its errors.
func failureLevel(err error) slog.Level {
	switch fs.Errno(err) {
	case syscall.ENOSPC, syscall.EDQUOT:
		return slog.LevelWarn
	case syscall.EEXIST, syscall.ENOTEMPTY, syscall.EBUSY, syscall.ENOTDIR, syscall.EXDEV, syscall.EMLINK, syscall.EFBIG, syscall.ENOTSUP, syscall.ENOSYS:
		return slog.LevelInfo
	}
	return slog.LevelError
}
