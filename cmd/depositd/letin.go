package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"depositd/migrations/sqldb"
	"depositd/platform/people"
)

// letIn gives the app what those need who let somebody in.
func (a *app) letIn() (err error) {
	if a.people != nil {
		return nil
	}
	a.people, err = a.config.peopleOf(a.db)
	return err
}

// peopleOf is the desk of accounts, with the key of the setting's file.
func (c *config) peopleOf(db *sqldb.DB) (*people.Desk, error) {
	key, err := secretKey(c.secretKeyFile)
	if err != nil {
		return nil, err
	}
	return people.NewDesk(db, key, c.doors)
}

// usePeople opens the desk of accounts for one command.
func (c *call) usePeople(ctx context.Context, f func(*people.Desk) error) error {
	config, problems := c.check()
	if len(problems) > 0 {
		return settingsWrong(problems)
	}
	return c.useDatabase(ctx, func(db *sqldb.DB) error {
		desk, err := config.peopleOf(db)
		if err != nil {
			return err
		}
		return f(desk)
	})
}

// secretKey reads a key, and makes it where there is none, for its owner alone.
func secretKey(file string) ([]byte, error) {
	made := make([]byte, people.KeySize)
	_, _ = rand.Read(made) // never fails, by its contract
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		_, err = fmt.Fprintln(f, base64.StdEncoding.EncodeToString(made))
		if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
			return nil, fmt.Errorf("写密钥文件 %s：%w", file, err)
		}
		return made, nil
	}
	if !errors.Is(err, fs.ErrExist) {
		return nil, usageError{fmt.Errorf("不能生成密钥文件 %s：%w；请检查目录权限，或用 --secret-key-file 指定已有的", file, err)}
	}
	return readSecretKey(file)
}

// readSecretKey reads what secretKey writes. A file that others can read is no secret.
func readSecretKey(file string) ([]byte, error) {
	text, err := readSecret(file)
	if err != nil {
		return nil, usageError{fmt.Errorf("读不到密钥文件：%w", err)}
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) != people.KeySize {
		return nil, usageError{fmt.Errorf("密钥文件 %s 应为 %d 字节的 base64", file, people.KeySize)}
	}
	if about, err := os.Stat(file); err == nil && about.Mode().Perm()&0o077 != 0 {
		return nil, usageError{fmt.Errorf("密钥文件 %s 可被他人读取，请执行 chmod 600", file)}
	}
	return key, nil
}
