package sheet

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Limits of a workbook, which is small as a file and can be anything once a program has it in memory.
const (
	maxUnzipped = 50 << 20 // bytes of all parts
	maxPart     = 16 << 20 // bytes of one part; of a full list it has some three megabytes
	maxParts    = 500
	maxTags     = 1 << 20 // of all parts, each of which becomes a struct of some hundred bytes; a full list has a quarter of it
	lastRow     = 4 * MaxRows
	maxSpan     = 500_000 // cells of all rows up to the last one of each: so many structs are made, be the cells there or not
)

// macros are the parts that a table has not.
var macros = []string{"vbaproject.bin", "vbaprojectsignature.bin"}

// checkParts looks at what is in the file before a workbook is made of it: how large its parts say they are, then how large
// they are and what would become of them.
func checkParts(raw []byte) error {
	parts, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return notXLSX()
	}
	if len(parts.File) > maxParts {
		return tooLarge()
	}
	var sum uint64
	for _, part := range parts.File {
		sum += min(part.UncompressedSize64, maxUnzipped+1)
		switch {
		case part.UncompressedSize64 > maxPart, sum > maxUnzipped:
			return tooLarge()
		case slices.Contains(macros, strings.ToLower(path.Base(part.Name))):
			return refuse("xlsx_macros", "不接收含宏的工作簿，请另存为 .xlsx")
		}
	}
	var all extent
	for _, part := range parts.File {
		body, err := unpack(part)
		if err != nil {
			return notXLSX()
		}
		if err := all.add(body); err != nil {
			return err
		}
	}
	return nil
}

func tooLarge() error {
	return refuse("xlsx_too_large", "文件解压后过大，不像一份退付名单：请把名单复制到模板中重新保存")
}

// unpack reads a part; one that is larger than it says is an error.
func unpack(part *zip.File) ([]byte, error) {
	body, err := part.Open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }()
	return io.ReadAll(body)
}

// extent is how much a workbook would be in memory.
type extent struct {
	tags, span int
	row, place int // of the cell before
}

// add looks through one part. What is not XML, such as a picture, is nothing; but what says that it is has to be, in UTF-8,
// since else the program that reads it might see more in it.
func (e *extent) add(body []byte) error {
	if e.tags += bytes.Count(body, []byte{'<'}); e.tags > maxTags {
		return tooLarge()
	}
	e.row = 0
	tokens := xml.NewDecoder(bytes.NewReader(body))
	for {
		token, err := tokens.RawToken()
		if err != nil {
			return ended(body, err)
		}
		if start, ok := token.(xml.StartElement); ok {
			e.element(&start)
		}
		if e.row > lastRow || e.span > maxSpan {
			return tooLarge()
		}
	}
}

// ended says whether a part may end as it did.
func ended(body []byte, how error) error {
	if !errors.Is(how, io.EOF) && bytes.Contains(body, []byte("<?xml")) {
		return notXLSX()
	}
	return nil
}

// element notes how far a row or a cell goes.
func (e *extent) element(start *xml.StartElement) {
	said := ""
	for _, a := range start.Attr {
		if a.Name.Local == "r" {
			said = a.Value
		}
	}
	switch start.Name.Local {
	case "row":
		e.row, e.place = e.row+1, 0
		if n, err := strconv.Atoi(said); err == nil && n > 0 {
			e.row = n
		}
	case "c":
		before := e.place
		e.place++
		if n := placeOf(said); n > e.place {
			e.place = n
		}
		e.span += e.place - before
	}
}

// placeOf is the place of the column in a cell's name: 28 of AB7; 0 where there is none.
func placeOf(name string) (place int) {
	for _, r := range strings.ToUpper(strings.TrimLeft(name, "$")) {
		if r < 'A' || r > 'Z' || place > maxSpan {
			break
		}
		place = place*26 + int(r-'A') + 1
	}
	return place
}
