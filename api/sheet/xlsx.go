package sheet

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"

	"depositd/platform/deposit"
)

// ReadXLSX reads the columns from an .xlsx: from the sheet of that name, else from the first one that is not hidden. The error
// is an Invalid Refusal: the file is no such table at all. Close the table.
func ReadXLSX(raw []byte, sheet string, columns []Column) (*Table, error) {
	if err := checkParts(raw); err != nil {
		return nil, err
	}
	file, err := excelize.OpenReader(bytes.NewReader(raw), excelize.Options{UnzipSizeLimit: maxUnzipped, UnzipXMLSizeLimit: maxUnzipped, RawCellValue: true})
	if err != nil {
		return nil, notXLSX()
	}
	x := &xlsxFile{file: file, sheet: pickSheet(file, sheet)}
	t, err := x.table(columns)
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	t.book = x
	return t, nil
}

func notXLSX() error {
	return refuse("xlsx_malformed", "文件不是 .xlsx 工作簿（可能是旧的 .xls、加密或损坏的文件），请用电子表格软件另存为 .xlsx，不设密码")
}

func pickSheet(file *excelize.File, wanted string) string {
	all := file.GetSheetList()
	if slices.Contains(all, wanted) {
		return wanted
	}
	for _, name := range all {
		if visible, err := file.GetSheetVisible(name); err == nil && visible {
			return name
		}
	}
	return ""
}

// xlsxFile is the sheet of an .xlsx.
type xlsxFile struct {
	file     *excelize.File
	sheet    string
	from1904 bool
}

func (x *xlsxFile) table(columns []Column) (*Table, error) {
	if x.sheet == "" {
		return nil, notXLSX()
	}
	if props, err := x.file.GetWorkbookProps(); err == nil && props.Date1904 != nil {
		x.from1904 = *props.Date1904
	}
	return read(x, columns)
}

// each reads the rows first, all of them, since a sheet cannot be looked into while its rows are streamed.
func (x *xlsxFile) each(f func(int, []string) error) error {
	all, err := x.rows()
	if err != nil {
		return err
	}
	merged, err := x.file.GetMergeCells(x.sheet, true)
	if err != nil {
		return notXLSX()
	}
	if len(merged) > maxMerged {
		return refuse("xlsx_merged", "合并单元格过多，请取消合并后再提交")
	}
	return csvFile(all).each(f)
}

func (x *xlsxFile) rows() (all []record, err error) {
	rows, err := x.file.Rows(x.sheet)
	if err != nil {
		return nil, notXLSX()
	}
	defer func() { _ = rows.Close() }()
	for number := 1; rows.Next(); number++ {
		cells, err := rows.Columns()
		if err != nil {
			return nil, notXLSX()
		}
		switch {
		case len(cells) > maxCells:
			return nil, tooWide(number, len(cells))
		case len(all) > MaxRows+headWithin:
			return nil, tooLong()
		}
		if slices.ContainsFunc(cells, func(s string) bool { return strings.TrimSpace(s) != "" }) {
			all = append(all, record{number, cells})
		}
	}
	if rows.Error() != nil {
		return nil, notXLSX()
	}
	return all, nil
}

func (x *xlsxFile) cell(row, place int, text string) cell {
	name, err := excelize.CoordinatesToCellName(place, row)
	if err != nil {
		return cell{bad: true}
	}
	kind, err := x.file.GetCellType(x.sheet, name)
	_, notNumber := strconv.ParseFloat(text, 64)
	return cell{text: text, bad: err != nil || kind == excelize.CellTypeError || kind == excelize.CellTypeBool,
		numeric: (kind == excelize.CellTypeUnset || kind == excelize.CellTypeNumber) && notNumber == nil}
}

// The days that a number of a sheet may stand for: 2000 to 2099.
const firstDay, lastDay = 36526, 73050

func (x *xlsxFile) day(number string) (deposit.Day, bool) {
	whole, _, _ := strings.Cut(number, ".")
	n, err := strconv.Atoi(whole)
	if err != nil || n < firstDay-1462 || n > lastDay {
		return "", false
	}
	at, err := excelize.ExcelDateToTime(float64(n), x.from1904)
	return deposit.Day(at.Format("2006-01-02")), err == nil
}
