//! Where each kind of callback goes.

use std::{collections::HashMap, str::FromStr};

use http::{Uri, uri::PathAndQuery};
use tower_callback_sim::Platform;

use crate::Failure;

/// `KIND=PATH`, as given on the command line.
#[derive(Clone, Debug)]
pub(crate) struct KindPath {
    kind: String,
    path: PathAndQuery,
}

/// The paths given on the command line, by the usual path of their kind.
#[derive(Clone, Debug)]
pub(crate) struct Paths(HashMap<&'static str, PathAndQuery>);

impl Paths {
    /// The paths of these kinds: the path of the receiver's URL, if there is only one kind, and those that
    /// are given for a kind.
    pub(crate) fn of(kinds: &[Platform], to: &Uri, given: &[KindPath]) -> Result<Self, Failure> {
        let mut paths = HashMap::new();
        match (to.path_and_query().filter(|path| *path != "/"), kinds) {
            (None, _) => {}
            (Some(path), [only]) => {
                paths.insert(only.path, path.clone());
            }
            (Some(path), kinds) => return Err(no_path_for_all(to, path, kinds).into()),
        }
        for KindPath { kind, path } in given {
            let known = kinds.iter().find(|platform| kind_of(platform) == kind);
            let known =
                known.ok_or_else(|| format!("there is no kind `{kind}`; {}", usual(kinds)))?;
            paths.insert(known.path, path.clone());
        }
        Ok(Self(paths))
    }

    /// Where a callback with this usual path goes.
    pub(crate) fn at(&self, to: &Uri, usual: &Uri) -> Uri {
        let mut parts = to.clone().into_parts();
        let path = self.0.get(usual.path());
        parts.path_and_query = path.or(usual.path_and_query()).cloned();
        Uri::from_parts(parts).expect("a host and a path")
    }
}

/// Such as `delivery`.
fn kind_of(platform: &Platform) -> &'static str {
    platform.name.split_once(' ').map_or(platform.name, |(_, kind)| kind)
}

fn no_path_for_all(to: &Uri, path: &PathAndQuery, kinds: &[Platform]) -> String {
    let authority = to.authority().map_or("", |it| it.as_str());
    let first = kinds.first().map_or("KIND", kind_of);
    format!(
        "{path} is one path for {count} kinds of callback: give the server's root, --to \
         http://{authority}, and every unusual path as --path {first}={path}; {usual}",
        count = kinds.len(),
        usual = usual(kinds),
    )
}

fn usual(kinds: &[Platform]) -> String {
    let usual = kinds.iter().map(|platform| format!("{}={}", kind_of(platform), platform.path));
    format!("the usual paths are {}", usual.collect::<Vec<_>>().join(", "))
}

impl FromStr for KindPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected a kind and its path, such as delivery=/cb/msg".to_owned();
        let (kind, path) = text.split_once('=').ok_or_else(wrong)?;
        if kind.is_empty() || !path.starts_with('/') {
            return Err(wrong());
        }
        Ok(Self { kind: kind.to_owned(), path: path.parse().map_err(|_| wrong())? })
    }
}

#[cfg(test)]
mod tests {
    use tower_callback_sim::platform::wulai::{delivery, error, route};

    use super::*;

    fn sent(kinds: &[Platform], to: &'static str, given: &[&str]) -> Result<Vec<String>, String> {
        let to = Uri::from_static(to);
        let given: Vec<KindPath> = given.iter().map(|it| it.parse().unwrap()).collect();
        let paths = Paths::of(kinds, &to, &given).map_err(|error| error.to_string())?;
        let at = |kind: &Platform| paths.at(&to, &Uri::from_static(kind.path)).to_string();
        Ok(kinds.iter().map(at).collect())
    }

    #[test]
    fn every_kind_goes_to_its_usual_path_or_to_the_given_one() {
        let kinds = [delivery(), route(), error()];
        for root in ["http://localhost:1", "http://localhost:1/"] {
            let [first, second, third] = ["/callback/message", "/webhook/route", "/callback/error"]
                .map(|path| format!("http://localhost:1{path}"));
            assert_eq!(sent(&kinds, root, &[]).unwrap(), [&*first, &second, &third]);
            let given = ["delivery=/cb/msg?key=1", "error=/e"];
            let expected = ["http://localhost:1/cb/msg?key=1", &second, "http://localhost:1/e"];
            assert_eq!(sent(&kinds, root, &given).unwrap(), expected);
        }
    }

    #[test]
    fn one_path_is_for_one_kind() {
        let to = "http://localhost:1/hook?key=1";
        assert_eq!(sent(&[delivery()], to, &[]).unwrap(), [to]);
        let refused = sent(&[delivery(), error()], to, &[]).unwrap_err();
        assert!(refused.contains("--path delivery=/hook"), "{refused}");
        assert!(refused.contains("error=/callback/error"), "{refused}");
    }

    #[test]
    fn an_unknown_kind_and_a_wrong_path_are_refused() {
        let refused = sent(&[delivery()], "http://localhost:1", &["error=/e"]).unwrap_err();
        assert!(refused.contains("`error`"), "{refused}");
        for wrong in ["", "delivery", "delivery=", "delivery=cb", "=/cb", "delivery=/ "] {
            assert!(wrong.parse::<KindPath>().is_err(), "{wrong:?}");
        }
    }
}
