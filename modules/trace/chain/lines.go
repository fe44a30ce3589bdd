package chain

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
)

// Bounds of what is read into memory, in bytes.
const (
	maxManifest = 256 << 20
	maxLine     = 64 << 20
)

var (
	errDamaged  = errors.New("cannot be read to its end, or is too large")
	errHalfLine = errors.New("the last line is not whole")
)

// lines reads a file line by line. A file that is missing or a line that is too
// long is a FormError.
func lines(files fs.FS, name string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		file, err := files.Open(name)
		if err != nil {
			yield(nil, missing(name, err))
			return
		}
		defer file.Close()
		scanner := bufio.NewScanner(file)
		scanner.Buffer(make([]byte, 0, 64<<10), maxLine)
		scanner.Split(wholeLine)
		for scanner.Scan() {
			if !yield(scanner.Bytes(), nil) {
				return
			}
		}
		if err := scanner.Err(); errors.Is(err, bufio.ErrTooLong) {
			yield(nil, &FormError{fmt.Sprintf("a line of %s is too long", name)})
		} else if err != nil {
			// In an archive a changed byte is noticed in this way.
			yield(nil, &FormError{fmt.Sprintf("%s cannot be read to its end", name)})
		}
	}
}

// wholeLine is a bufio.SplitFunc for lines that end with a newline, all of them
// and with nothing before it taken away.
func wholeLine(data []byte, atEOF bool) (advance int, line []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return 0, nil, errHalfLine
	}
	return 0, nil, nil
}

func missing(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		return &FormError{fmt.Sprintf("the file %s is missing", name)}
	}
	return fmt.Errorf("read %s: %w", name, err)
}

func readFile(files fs.FS, name string) ([]byte, error) {
	file, err := files.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxManifest+1))
	if err != nil || len(content) > maxManifest {
		return nil, fmt.Errorf("%s %w", name, errDamaged)
	}
	return content, nil
}
