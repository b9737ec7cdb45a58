package sheet

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"depositd/bank"
	"depositd/platform/deposit"
)

// ReadCSV reads a CSV of the columns, in UTF-8 with a byte order mark or without, or in GBK. The error is an Invalid Refusal: the
// file is no such table at all.
func ReadCSV(raw []byte, columns []Column) (*Table, error) {
	if bytes.HasPrefix(raw, []byte("\xff\xfe")) || bytes.HasPrefix(raw, []byte("\xfe\xff")) || bytes.IndexByte(raw, 0) >= 0 {
		return nil, refuse("charset", "文件不是 UTF-8 或 GBK 编码的 CSV，请另存为“CSV UTF-8（逗号分隔）”")
	}
	text, err := bank.Sniff(raw, bank.GB18030).Decode(raw)
	if err != nil {
		return nil, err
	}
	records, err := parseCSV(strings.TrimPrefix(text, "\ufeff"))
	if err != nil {
		return nil, err
	}
	t, err := read(records, columns)
	if err != nil {
		return nil, err
	}
	t.book = records
	return t, nil
}

// record is one row of a CSV.
type record struct {
	number int // as a spreadsheet that opens the file shows it
	cells  []string
}

type csvFile []record

// parseCSV takes a text apart. A spreadsheet counts empty lines, and a cell with a line break is in one row.
func parseCSV(text string) (csvFile, error) {
	reader := csv.NewReader(strings.NewReader(text))
	reader.FieldsPerRecord = -1
	var all csvFile
	within := 0 // line breaks within cells so far
	for {
		cells, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		var wrong *csv.ParseError
		if errors.As(err, &wrong) {
			return nil, refuse("csv_malformed", "第 ", wrong.Line, " 行的引号不成对，请用电子表格软件重新另存为 CSV")
		}
		if err != nil {
			return nil, err
		}
		line, _ := reader.FieldPos(0)
		all = append(all, record{line - within, cells})
		for _, c := range cells {
			within += strings.Count(c, "\n")
		}
		if len(all) > MaxRows+headWithin+1 && all[len(all)-1].number > 2*MaxRows {
			return nil, tooLong()
		}
	}
}

func (f csvFile) each(row func(int, []string) error) error {
	for _, r := range f {
		if err := row(r.number, r.cells); err != nil {
			return err
		}
	}
	return nil
}

func (f csvFile) cell(_, _ int, text string) cell { return cell{text: text} }

func (f csvFile) day(string) (deposit.Day, bool) { return "", false }

// writeCSV writes rows as a spreadsheet opens them without asking: UTF-8 with a byte order mark. No cell becomes a formula.
func writeCSV(rows [][]string) []byte {
	var out bytes.Buffer
	out.WriteString("\ufeff")
	w := csv.NewWriter(&out)
	w.UseCRLF = true
	for _, row := range rows {
		safe := make([]string, len(row))
		for i, text := range row {
			safe[i] = Harmless(text)
		}
		_ = w.Write(safe) // a buffer takes everything
	}
	w.Flush()
	return out.Bytes()
}

// triggers begin a formula in some spreadsheet (OWASP ASVS 5, 1.2.10), those of full width in Chinese ones.
const triggers = "=+-@\t\r\n\x00＝＋－＠"

// Harmless is a text that no spreadsheet takes for a formula when it opens a CSV. What it is given of blanks at the beginning
// some spreadsheets drop before they look.
func Harmless(text string) string {
	if first, _ := utf8.DecodeRuneInString(strings.TrimLeft(text, " \u3000\u00a0\ufeff")); text != "" && strings.ContainsRune(triggers, first) {
		return "'" + text
	}
	return text
}
