//! Parses the text of a query.

use serde_json::Value;

use crate::azure::kql::{Expr, Op, Query, Step};

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Number(f64),
    Sign(&'static str),
}

const SIGNS: &[&str] = &["=~", "!~", "==", "!=", "<=", ">=", "<", ">", "=", "|", "(", ")", ",", ".", "[", "]"];

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if let Some(comment) = rest.strip_prefix("//") {
            rest = comment.split_once('\n').map_or("", |(_, after)| after);
        } else if first == '\'' || first == '"' {
            let (value, after) = quoted(&rest[1..], first)?;
            found.push(Token::Text(value));
            rest = after;
        } else if first.is_ascii_digit() {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            found.push(Token::Number(rest[..end].parse().map_err(|_| format!("'{}' is no number", &rest[..end]))?));
            rest = &rest[end..];
        } else if first.is_alphabetic() || first == '_' || first == '$' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').unwrap_or(rest.len());
            let mut word = rest[..end].to_owned();
            rest = &rest[end..];
            // Operators such as `in~` and `has_any` are one word.
            if word == "in" && rest.starts_with('~') {
                word.push('~');
                rest = &rest[1..];
            }
            found.push(Token::Word(word));
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            found.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else if let Some(after) = rest.strip_prefix('!') {
            found.push(Token::Word("!".into()));
            rest = after;
        } else {
            return Err(format!("'{first}' is not understood"));
        }
        rest = rest.trim_start();
    }
    Ok(found)
}

fn quoted(text: &str, quote: char) -> Result<(String, &str), String> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, one)) = chars.next() {
        match one {
            '\\' => match chars.next() {
                Some((_, escaped)) => value.push(escaped),
                None => break,
            },
            _ if one == quote => return Ok((value, &text[at + quote.len_utf8()..])),
            _ => value.push(one),
        }
    }
    Err("a text has no end".into())
}

/// Parses a query.
pub(crate) fn parse(text: &str) -> Result<Query, String> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0 };
    let table = parser.word()?.to_ascii_lowercase();
    let mut steps = Vec::new();
    while parser.at < parser.tokens.len() {
        parser.sign("|")?;
        steps.push(parser.step()?);
    }
    Ok(Query { table, steps })
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn accept(&mut self, sign: &str) -> bool {
        let is = matches!(self.peek(), Some(Token::Sign(own)) if *own == sign);
        self.at += usize::from(is);
        is
    }

    fn accept_word(&mut self, word: &str) -> bool {
        let is = matches!(self.peek(), Some(Token::Word(own)) if own == word);
        self.at += usize::from(is);
        is
    }

    fn sign(&mut self, sign: &str) -> Result<(), String> {
        if self.accept(sign) { Ok(()) } else { Err(format!("'{sign}' expected, not {:?}", self.peek())) }
    }

    fn word(&mut self) -> Result<String, String> {
        match self.peek().cloned() {
            Some(Token::Word(word)) => {
                self.at += 1;
                Ok(word)
            }
            other => Err(format!("a name expected, not {other:?}")),
        }
    }

    fn step(&mut self) -> Result<Step, String> {
        let name = self.word()?;
        Ok(match name.as_str() {
            "where" | "filter" => Step::Where(self.or()?),
            "project" => Step::Project(self.columns()?),
            "extend" => Step::Extend(self.columns()?),
            "order" | "sort" => {
                if !self.accept_word("by") {
                    return Err("'by' expected".into());
                }
                let mut keys = Vec::new();
                loop {
                    let key = self.operand()?;
                    // The default order is descending, as documented.
                    let rising = self.accept_word("asc") || {
                        self.accept_word("desc");
                        false
                    };
                    keys.push((key, rising));
                    if !self.accept(",") {
                        break Step::Order(keys);
                    }
                }
            }
            "take" | "limit" => match self.peek().cloned() {
                Some(Token::Number(number)) => {
                    self.at += 1;
                    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "row counts are small and not negative")]
                    Step::Take(number as usize)
                }
                other => return Err(format!("a number expected, not {other:?}")),
            },
            "count" => Step::Count,
            other => return Err(format!("the operator '{other}' is not known here")),
        })
    }

    fn columns(&mut self) -> Result<Vec<(String, Expr)>, String> {
        let mut columns = Vec::new();
        loop {
            let named = matches!((self.tokens.get(self.at), self.tokens.get(self.at + 1)), (Some(Token::Word(_)), Some(Token::Sign("="))));
            if named {
                let name = self.word()?;
                self.sign("=")?;
                columns.push((name, self.or()?));
            } else {
                let expr = self.operand()?;
                let Expr::Path(path) = &expr else {
                    return Err("a computed column needs a name".into());
                };
                // `properties.fqdn` becomes the column `properties_fqdn`.
                columns.push((path.join("_"), expr));
            }
            if !self.accept(",") {
                return Ok(columns);
            }
        }
    }

    fn or(&mut self) -> Result<Expr, String> {
        let mut left = self.and()?;
        while self.accept_word("or") {
            left = Expr::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Expr, String> {
        let mut left = self.comparison()?;
        while self.accept_word("and") {
            left = Expr::And(Box::new(left), Box::new(self.comparison()?));
        }
        Ok(left)
    }

    fn comparison(&mut self) -> Result<Expr, String> {
        let left = self.operand()?;
        let negated = self.accept_word("!");
        let op = match self.peek().cloned() {
            Some(Token::Sign(sign)) if !negated => match sign {
                "==" => Op::Equal,
                "!=" => Op::NotEqual,
                "=~" => Op::EqualCaseless,
                "!~" => Op::NotEqualCaseless,
                "<" => Op::Less,
                "<=" => Op::LessEqual,
                ">" => Op::Greater,
                ">=" => Op::GreaterEqual,
                _ => return Ok(left),
            },
            Some(Token::Word(word)) => match (word.as_str(), negated) {
                ("in" | "in~", _) => {
                    self.at += 1;
                    return self.any_of(left, word == "in~", negated);
                }
                ("contains", false) => Op::Contains,
                ("contains", true) => Op::NotContains,
                ("startswith", false) => Op::StartsWith,
                ("endswith", false) => Op::EndsWith,
                ("has", false) => Op::Has,
                ("and" | "or" | "asc" | "desc", false) => return Ok(left),
                (other, _) => return Err(format!("the operator '{other}' is not known here")),
            },
            _ if negated => return Err("an operator expected after '!'".into()),
            _ => return Ok(left),
        };
        self.at += 1;
        Ok(Expr::Compare(Box::new(left), op, Box::new(self.operand()?)))
    }

    fn any_of(&mut self, left: Expr, caseless: bool, negated: bool) -> Result<Expr, String> {
        self.sign("(")?;
        let mut any = vec![self.operand()?];
        while self.accept(",") {
            any.push(self.operand()?);
        }
        self.sign(")")?;
        Ok(Expr::In { left: Box::new(left), any, caseless, negated })
    }

    fn operand(&mut self) -> Result<Expr, String> {
        if self.accept("(") {
            let inner = self.or()?;
            self.sign(")")?;
            return Ok(inner);
        }
        match self.peek().cloned() {
            Some(Token::Text(text)) => {
                self.at += 1;
                Ok(Expr::Literal(Value::from(text)))
            }
            Some(Token::Number(number)) => {
                self.at += 1;
                Ok(Expr::Literal(Value::from(number)))
            }
            Some(Token::Word(word)) if word == "true" || word == "false" => {
                self.at += 1;
                Ok(Expr::Literal(Value::from(word == "true")))
            }
            Some(Token::Word(word)) => {
                self.at += 1;
                if self.accept("(") {
                    return self.call(word);
                }
                let mut path = vec![word];
                loop {
                    if self.accept(".") {
                        path.push(self.word()?);
                    } else if self.accept("[") {
                        let Some(Token::Text(key)) = self.peek().cloned() else {
                            return Err("a quoted key expected after '['".into());
                        };
                        self.at += 1;
                        self.sign("]")?;
                        path.push(key);
                    } else {
                        return Ok(Expr::Path(path));
                    }
                }
            }
            other => Err(format!("a value expected, not {other:?}")),
        }
    }

    fn call(&mut self, name: String) -> Result<Expr, String> {
        if !["tolower", "toupper", "tostring", "tobool", "isnull", "isnotnull", "isempty", "isnotempty", "not", "coalesce"]
            .contains(&name.as_str())
        {
            return Err(format!("the function '{name}' is not known here"));
        }
        let mut arguments = Vec::new();
        while !self.accept(")") {
            if !arguments.is_empty() {
                self.sign(",")?;
            }
            arguments.push(self.or()?);
        }
        Ok(Expr::Call(name, arguments))
    }
}
