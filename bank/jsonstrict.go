package bank

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"depositd/platform/deposit"
)

// maxJSONDepth is how deep a message may nest: object, list, object is what notices need.
const maxJSONDepth = 8

// parseJSON reads one JSON value strictly: objects become map[string]any, lists []any, numbers json.Number. Refused are,
// beyond what is no JSON: two equal keys in an object, deep nesting, anything after the value, and text that is not
// Unicode (a lone surrogate among it), which the standard decoder would replace without a word.
func parseJSON(text string) (any, error) {
	if strings.ContainsRune(text, utf8.RuneError) {
		return nil, deposit.Refuse(deposit.Invalid, "charset", "报文含有无法解码的字节，请核对字符集")
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	value, err := jsonValue(d, maxJSONDepth)
	if err != nil {
		return nil, jsonRefusal(d, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, deposit.Refuse(deposit.Invalid, "json_trailing", "第 ", d.InputOffset(), " 字节之后有多余的内容，一份报文应只有一个 JSON 对象")
	}
	if !json.Valid([]byte(text)) { // the tokens alone let some slips of the comma pass
		return nil, deposit.Refuse(deposit.Invalid, "json_malformed", "不是有效的 JSON")
	}
	return value, nil
}

// jsonRefusal says where the text stops being JSON.
func jsonRefusal(d *json.Decoder, err error) error {
	var refusal *deposit.Refusal
	if errors.As(err, &refusal) {
		return err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return deposit.Refuse(deposit.Invalid, "json_truncated", "JSON 在第 ", d.InputOffset(), " 字节之后中断，报文不完整")
	}
	return deposit.Refuse(deposit.Invalid, "json_malformed", "第 ", d.InputOffset(), " 字节附近不是有效的 JSON")
}

func jsonValue(d *json.Decoder, depth int) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case json.Delim:
		if depth == 0 {
			return nil, deposit.Refuse(deposit.Invalid, "json_depth", "JSON 嵌套超过 ", maxJSONDepth, " 层")
		}
		if token == '{' {
			return jsonMap(d, depth-1)
		}
		return jsonList(d, depth-1)
	case string:
		return token, jsonText(token)
	}
	return token, nil
}

func jsonMap(d *json.Decoder, depth int) (any, error) {
	object := map[string]any{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		key, _ := token.(string) // the decoder lets nothing else stand there
		if err := jsonText(key); err != nil {
			return nil, err
		}
		if _, twice := object[key]; twice {
			return nil, deposit.Refuse(deposit.Invalid, "json_duplicate_key", "字段重复：", clip(key))
		}
		if object[key], err = jsonValue(d, depth); err != nil {
			return nil, err
		}
	}
	_, err := d.Token() // the closing brace
	return object, err
}

func jsonList(d *json.Decoder, depth int) (any, error) {
	list := []any{}
	for d.More() {
		value, err := jsonValue(d, depth)
		if err != nil {
			return nil, err
		}
		list = append(list, value)
	}
	_, err := d.Token() // the closing bracket
	return list, err
}

func jsonText(s string) error {
	if strings.ContainsRune(s, utf8.RuneError) {
		return deposit.Refuse(deposit.Invalid, "charset", "JSON 字符串中有不成对的代理码（\\ud800 至 \\udfff）")
	}
	return nil
}
