//! Every layer, set up and checked.

use tokio::runtime::{Builder, Runtime};

use crate::layers::{
    aliri_tower, axum_jwks, bare, by_hand, jwt_authorizer, oauth_resource_server, ours,
    tower_oauth2_resource_server,
};
use crate::rows::Rows;
use crate::world::World;
use crate::{Failure, raw};

/// The runtime everything runs on: one thread.
///
/// # Errors
/// If the operating system refuses it.
pub fn runtime() -> Result<Runtime, Failure> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

/// Sets up every layer and checks each of its rows once. `only` leaves out peers whose name does
/// not hold it; the bare service, the raw verification and this crate's layer always stay.
///
/// # Errors
/// If a layer cannot be set up, or answers otherwise than its module says.
pub fn rows<'a>(
    runtime: &'a Runtime,
    world: &World,
    only: Option<&str>,
) -> Result<Rows<'a>, Failure> {
    let mut rows = Rows::new(runtime, world);
    let wants = |name: &str| only.is_none_or(|only| name.contains(only));
    rows.layer(bare::NAME, bare::answer, &bare::service())?;
    raw::add(&mut rows, world)?;
    add_ours(&mut rows, runtime, world)?;
    if wants(oauth_resource_server::NAME) {
        let service = runtime.block_on(oauth_resource_server::service(world))?;
        rows.layer(
            oauth_resource_server::NAME,
            oauth_resource_server::answer,
            &service,
        )?;
    }
    if wants(tower_oauth2_resource_server::NAME) {
        use tower_oauth2_resource_server as peer;
        let service = runtime.block_on(peer::service(world))?;
        rows.layer(peer::NAME, peer::answer, &service)?;
    }
    if wants(jwt_authorizer::NAME) {
        let service = runtime.block_on(jwt_authorizer::service(world))?;
        rows.layer(jwt_authorizer::NAME, jwt_authorizer::answer, &service)?;
    }
    if wants(axum_jwks::NAME) {
        rows.layer(
            axum_jwks::NAME,
            axum_jwks::answer,
            &axum_jwks::service(world)?,
        )?;
    }
    if wants(aliri_tower::NAME) {
        let service = runtime.block_on(aliri_tower::service(world))?;
        rows.layer(aliri_tower::NAME, aliri_tower::answer, &service)?;
    }
    if wants(by_hand::NAME) {
        rows.layer(by_hand::NAME, by_hand::answer, &by_hand::service(world)?)?;
    }
    Ok(rows)
}

fn add_ours(rows: &mut Rows<'_>, runtime: &Runtime, world: &World) -> Result<(), Failure> {
    let auth = runtime.block_on(ours::authenticator(world, true))?;
    let handle = auth.handle();
    let forget = move || handle.flush();
    rows.remembering_layer(ours::NAME, ours::answer, &ours::service(&auth), forget)?;
    let auth = runtime.block_on(ours::authenticator(world, false))?;
    let service = ours::service(&auth);
    rows.layer(ours::WITHOUT_CACHE, ours::answer_without_cache, &service)
}
