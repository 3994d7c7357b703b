//! The quickstart, started again on the same file: what its database keeps, and what it does not.

use std::path::Path;

use reqwest::StatusCode;
use serde_json::json;
use tower_mcp_auth::testing::Consent;

use crate::clients::{Folder, Quickstart, browser, guide, options, start};

async fn on(file: &Path) -> Quickstart {
    start(&options(file, Consent::Automatic)).await.unwrap()
}

async fn post(url: String) -> String {
    let answer = browser().post(url).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    answer.text().await.unwrap()
}

/// A key of a service account that somebody asked for, and how to revoke it.
async fn issue(quickstart: &Quickstart, account: &str) -> (String, String) {
    let url = quickstart.admin.issue("acme", account);
    let said = post(url.clone()).await;
    let (_, path) = said.split_once("posts to ").unwrap();
    let path = path.split_whitespace().next().unwrap();
    let (base, _) = url.split_once("/organizations").unwrap();
    let key = said.lines().next().unwrap();
    (key.to_owned(), format!("{base}{path}"))
}

/// What a key, or an email and a token, is answered.
async fn status(quickstart: &Quickstart, credential: &str) -> u16 {
    let whoami =
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "whoami"}});
    let request = browser().post(quickstart.resource.identifier());
    let request = match credential.split_once(':') {
        Some((email, token)) => request.basic_auth(email, Some(token)),
        None => request.bearer_auth(credential),
    };
    let request = request.header("accept", "application/json, text/event-stream");
    request
        .json(&whoami)
        .send()
        .await
        .unwrap()
        .status()
        .as_u16()
}

#[tokio::test]
async fn what_was_issued_revoked_and_switched_outlives_a_restart() {
    let folder = Folder::new();
    let file = folder.file("mcp-auth.db");
    let first = on(&file).await;
    let (kept, _) = issue(&first, "my-bot").await;
    let (ended, revoke) = issue(&first, "other-bot").await;
    assert_eq!(status(&first, &ended).await, 200);
    post(revoke).await;
    assert_eq!(status(&first, &ended).await, 401);
    let bob = first.credentials.bob.clone();
    assert_eq!(status(&first, &bob).await, 401);
    post(first.admin.switch("globex", true)).await;
    assert_eq!(status(&first, &bob).await, 200);
    first.stop().await.unwrap();

    let second = on(&file).await;
    assert_eq!(status(&second, &kept).await, 200);
    assert_eq!(status(&second, &ended).await, 401);
    assert_eq!(status(&second, &second.credentials.bob).await, 200);
    assert_eq!(
        status(&second, &second.credentials.alice_revoked).await,
        401
    );
    post(second.admin.switch("acme", false)).await;
    assert_eq!(status(&second, &kept).await, 401);
    second.stop().await.unwrap();

    // Anew, but for its pepper.
    let mut wanted = options(&file, Consent::Automatic);
    wanted.fresh = true;
    let third = start(&wanted).await.unwrap();
    assert_eq!(status(&third, &kept).await, 401, "nobody knows it");
    assert_eq!(status(&third, &third.credentials.build_bot).await, 200);
    assert_eq!(status(&third, &third.credentials.bob).await, 401);
    third.stop().await.unwrap();
}

#[tokio::test]
async fn a_restart_at_the_same_address_revokes_what_the_start_before_printed() {
    let folder = Folder::new();
    let file = folder.file("mcp-auth.db");
    let first = on(&file).await;
    assert_eq!(first.retired, 0);
    assert!(!guide::text(&first).contains("printed at the last start"));
    let (kept, _) = issue(&first, "my-bot").await;
    let printed = first.credentials.alice.clone();
    let url = url::Url::parse(first.resource.identifier()).unwrap();
    first.stop().await.unwrap();

    let mut wanted = options(&file, Consent::Automatic);
    wanted.port = url.port().unwrap();
    let second = start(&wanted).await.unwrap();
    assert_eq!(second.retired, 4);
    let text = guide::text(&second);
    assert!(
        text.contains("printed at the last start are revoked"),
        "{text}"
    );
    assert!(text.contains(&file.display().to_string()), "{text}");
    assert_eq!(status(&second, &printed).await, 401);
    assert_eq!(status(&second, &second.credentials.alice).await, 200);
    assert_eq!(status(&second, &kept).await, 200);
    second.stop().await.unwrap();
}

#[tokio::test]
async fn two_on_one_file_do_not_hurt_each_other() {
    let folder = Folder::new();
    let file = folder.file("mcp-auth.db");
    // At the same time, on a file that neither finds.
    let (one, other) = tokio::join!(on(&file), on(&file));
    for quickstart in [&one, &other] {
        assert_eq!(quickstart.retired, 0);
        for asked in [&one, &other] {
            let credentials = &quickstart.credentials;
            assert_eq!(status(asked, &credentials.alice).await, 200);
            assert_eq!(status(asked, &credentials.build_bot).await, 200);
            assert_eq!(status(asked, &credentials.report_bot).await, 401);
        }
    }

    let mut wanted = options(&file, Consent::Automatic);
    wanted.fresh = true;
    let error = start(&wanted).await.err().unwrap().to_string();
    assert!(error.contains("another program uses it"), "{error}");
    one.stop().await.unwrap();
    assert_eq!(status(&other, &other.credentials.alice).await, 200);
    other.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_not_its_own_is_left_alone() {
    let folder = Folder::new();
    let file = folder.file("mcp-auth.db");
    on(&file).await.stop().await.unwrap();
    let pepper = folder.file("quickstart.pepper");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        for file in [&file, &pepper] {
            let mode = std::fs::metadata(file).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let open = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(&pepper, open).unwrap();
        let error = start(&options(&file, Consent::Automatic)).await;
        let error = error.err().unwrap().to_string();
        assert!(error.contains("others can read"), "{error}");
    }
    std::fs::remove_file(&pepper).unwrap();
    let error = start(&options(&file, Consent::Automatic)).await;
    let error = error.err().unwrap().to_string();
    assert!(error.contains("put it back as"), "{error}");

    let mut wanted = options(&folder.file("letter.txt"), Consent::Automatic);
    wanted.fresh = true;
    std::fs::write(folder.file("letter.txt"), "Dear Sir or Madam").unwrap();
    let error = start(&wanted).await.err().unwrap().to_string();
    assert!(error.contains("leaves"), "{error}");
    assert!(folder.file("letter.txt").exists());
}
